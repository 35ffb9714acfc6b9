/** docs/reference/errors.md, from the catalogue of codes. */
import { errorCodes } from '@longhaul/protocol'
import { markdownTable } from './markdown-table.ts'

export function errorsPage(): string {
  const rows = Object.entries(errorCodes).map(([code, { http, exit, meaning }]) => [`\`${code}\``, String(http), String(exit), meaning])
  return `# Errors

Made from \`packages/protocol/src/errors.ts\` by \`npm run generate\`. Every error that the API answers with has this body:

\`\`\`json
{ "error": { "code": "not_found", "message": "No run 0195….", "requestId": "0195…" } }
\`\`\`

The code is for programs, the message for people; it names the cause and, where there is one, the remedy. The server's log has the request id.

${markdownTable(['Code', 'HTTP status', 'Exit code of `longhaul`', 'Meaning'], rows)}

A method that an address does not offer is \`invalid\` with status 405. The exit codes that are not an error of the API are in [the guide to the command](../guide/cli.md).
`
}
