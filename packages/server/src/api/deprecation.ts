/** What an answer says of an operation that will be gone (RFC 9745, RFC 8594). */
import type { Operation } from '@longhaul/protocol'

/** Headers by name; none of an operation that stays. A link that begins with `/` is on this server. */
export function deprecationHeaders({ deprecated }: Operation): [string, string][] {
  if (!deprecated) return []
  const { since, sunset, link } = deprecated
  return [
    ['deprecation', `@${Math.floor(Date.parse(since) / 1_000)}`],
    ...(sunset === undefined ? [] : [['sunset', new Date(sunset).toUTCString()] as [string, string]]),
    ['link', `<${link}>; rel="deprecation"; type="text/html"`],
  ]
}
