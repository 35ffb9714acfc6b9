/**
 * Writes what `docs/reference` says about the source from the source itself. With `--check` it writes nothing and fails when a file
 * is not what it would write.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiPage } from './reference/api-page.ts'
import { configPage } from './reference/config-page.ts'
import { errorsPage } from './reference/errors-page.ts'
import { eventsPage } from './reference/events-page.ts'
import { openApi } from './reference/open-api.ts'
import { schemaOfDatabase } from './reference/schema-of-database.ts'

const folder = join(import.meta.dirname, '..', 'docs', 'reference')
const api = openApi()

const pages: Record<string, string> = {
  'api.md': apiPage(api),
  'config.md': configPage(),
  'errors.md': errorsPage(),
  'events.md': eventsPage(),
  'openapi.json': `${JSON.stringify(api, undefined, 2)}\n`,
  'schema.sql': await schemaOfDatabase(),
}

const stale = Object.keys(pages).filter((name) => pages[name] !== readIfThere(join(folder, name)))
if (process.argv.includes('--check')) {
  for (const name of stale) console.log(`docs/reference/${name} is not what its source says. Run npm run generate.`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  mkdirSync(folder, { recursive: true })
  for (const name of stale) writeFileSync(join(folder, name), pages[name] ?? '')
  console.log(stale.length === 0 ? 'Nothing changed.' : `Written: ${stale.map((name) => `docs/reference/${name}`).join(', ')}`)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // A page that has not been written yet.
  }
}
