/** docs/reference/config.md, from the table of settings. */
import { z } from 'zod'
import { settings } from '../../packages/server/src/config.ts'
import { jsonSchema } from '../../packages/server/src/api/json-schema.ts'
import { inWords } from '../../packages/server/src/api/schema-words.ts'
import { markdownTable } from './markdown-table.ts'

export function configPage(): string {
  const rows = Object.entries(settings).map(([name, setting]) => [`\`${name}\``, kindOf(setting), defaultOf(setting), setting.description ?? ''])
  return `# Settings

Made from \`packages/server/src/config.ts\` by \`npm run generate\`. Settings are environment variables. A \`LONGHAUL_\` name that is
not in this table is an error when the server starts, as is a value that does not fit; all of them are named at once. An empty value is none.

${markdownTable(['Setting', 'Value', 'Default', 'What it does'], rows)}
`
}

function kindOf(setting: z.ZodType): string {
  const { default: _, ...schema } = jsonSchema(setting, 'output')
  return schema.enum ? schema.enum.map((value) => `\`${String(value)}\``).join(', ') : inWords(schema)
}

function defaultOf(setting: z.ZodType): string {
  const absent = setting.safeParse(undefined)
  if (!absent.success) return 'required'
  return absent.data === undefined ? 'none' : `\`${String(absent.data)}\``
}
