/**
 * Writes what `docs/reference` says about the source from the source itself, and the client's table of addresses. With `--check` it
 * writes nothing and fails when a file is not what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { addressTable } from './reference/address-table.ts'
import { apiPage } from './reference/api-page.ts'
import { configPage } from './reference/config-page.ts'
import { errorsPage } from './reference/errors-page.ts'
import { eventsPage } from './reference/events-page.ts'
import { openApi } from '../packages/server/src/api/open-api.ts'
import { numbersAfter, protoFile } from './reference/proto.ts'
import { schemaOfDatabase } from './reference/schema-of-database.ts'

const root = join(import.meta.dirname, '..')
const numbersPath = 'packages/server/src/api/grpc/field-numbers.json'
const api = openApi()
// Only added to: a number that was given once means the same for ever.
const numbers = numbersAfter(JSON.parse(readIfThere(join(root, numbersPath)) ?? '{}') as Record<string, string[]>)

const files: Record<string, string> = {
  'docs/reference/api.md': apiPage(api),
  'docs/reference/config.md': configPage(),
  'docs/reference/errors.md': errorsPage(),
  'docs/reference/events.md': eventsPage(),
  'docs/reference/longhaul.proto': protoFile(numbers),
  'docs/reference/openapi.json': `${JSON.stringify(api, undefined, 2)}\n`,
  'docs/reference/schema.sql': await schemaOfDatabase(),
  [numbersPath]: `${JSON.stringify(numbers, undefined, 2)}\n`,
  'packages/sdk/src/client/addresses.ts': addressTable(),
}

const stale = Object.keys(files).filter((path) => files[path] !== readIfThere(join(root, path)))
if (process.argv.includes('--check')) {
  for (const path of stale) console.log(`${path} is not what its source says. Run npm run generate.`)
  process.exitCode = stale.length === 0 ? 0 : 1
} else {
  for (const path of stale) writeFileSync(join(root, path), files[path] ?? '')
  console.log(stale.length === 0 ? 'Nothing changed.' : `Written: ${stale.join(', ')}`)
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined // One that has not been written yet.
  }
}
