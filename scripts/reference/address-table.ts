/** The client's table of addresses: what it needs of each operation to ask for it, without the schemas. */
import { operations } from '@longhaul/protocol'

export function addressTable(): string {
  const lines = operations.map(({ id, http: [method, path] }) => `  '${id}': ['${method}', '${path}'],`)
  return `// Written by \`npm run generate\` from the protocol's operations.
import type { HttpMethod } from '@longhaul/protocol'
import type { OperationId } from './contract.ts'

/** Method and address of each operation. The schemas stay with the server: browsers need not load them. */
export const addresses = {
${lines.join('\n')}
} as const satisfies Record<OperationId, readonly [HttpMethod, string]>
`
}
