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
import { numbersAfter, protoFile } from './reference/proto.ts'
import { schemaOfDatabase } from './reference/schema-of-database.ts'

const root = join(import.meta.dirname, '..')
const folder = 'docs/reference'
const numbersPath = 'packages/server/src/api/grpc/field-numbers.json'
const api = openApi()
// Only added to: a number that was given once means the same for ever.
const numbers = numbersAfter(JSON.parse(readIfThere(join(root, numbersPath)) ?? '{}') as Record<string, string[]>)

const files: Record<string, string> = {
  [`${folder}/api.md`]: apiPage(api),
  [`${folder}/config.md`]: configPage(),
  [`${folder}/errors.md`]: errorsPage(),
  [`${folder}/events.md`]: eventsPage(),
  [`${folder}/longhaul.proto`]: protoFile(numbers),
  [`${folder}/openapi.json`]: `${JSON.stringify(api, undefined, 2)}\n`,
  [`${folder}/schema.sql`]: await schemaOfDatabase(),
  [numbersPath]: `${JSON.stringify(numbers, undefined, 2)}\n`,
}

const stale = Object.keys(files).filter((name) => files[name] !== readIfThere(join(root, name)))
if (process.argv.includes('--check')) {
  for (const name of stale) console.log(`${name} is not what its source says. Run npm run generate.`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  mkdirSync(join(root, folder), { recursive: true })
  for (const name of stale) writeFileSync(join(root, name), files[name] ?? '')
  console.log(stale.length === 0 ? 'Nothing changed.' : `Written: ${stale.join(', ')}`)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // A page that has not been written yet.
  }
}
