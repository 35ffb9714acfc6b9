/** Declarations of connections, `connections/<name>.json` or `.ts`, checked where their author can mend them. */
import { Connection, ConnectionName } from '@longhaul/protocol/agent'
import { z } from 'zod'

export type NamedConnection = { name: string; connection: Connection }

/** A file whose name has a dot before its ending, such as `crm.openapi.json`, is a document of a connection. */
export const declarationFile = /^[^.]+\.(json|ts|js|mts|mjs)$/

/** What is wrong with it as text. `files` are the names of all files beside it. */
export function parseConnection(file: string, value: unknown, files: readonly string[]): NamedConnection | string {
  const name = ConnectionName.safeParse(file.replace(/\..*$/, ''))
  if (!name.success) return `its name is the connection's: ${z.prettifyError(name.error)}`
  const parsed = Connection.safeParse(value)
  if (!parsed.success)
    return `is no connection: ${parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.map(String).join('.')}: ${message}` : message)).join('; ')}`
  const connection = parsed.data
  if (connection.kind === 'openapi' && !files.includes(connection.document)) return `names the document ${connection.document}, which is not beside it.`
  if (connection.kind === 'marketplace') return { name: name.data, connection }
  if (connection.kind === 'command') {
    if (connection.files !== undefined && !files.includes(connection.files)) return `names the folder ${connection.files}, which is not beside it.`
    return { name: name.data, connection }
  }
  const bare = Object.entries(connection.headers).find(([header, held]) => /^(authorization|cookie|x-api-key)$/i.test(header) && typeof held === 'string')
  if (bare) return `has the header ${bare[0]} as text, so everybody who sees the code sees it. Name a secret that the server holds: { "secret": "crm" }.`
  return { name: name.data, connection }
}
