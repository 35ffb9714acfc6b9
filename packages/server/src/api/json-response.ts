/** Answers of operations: JSON texts, which are sent as they are. */
import { getRequestListener } from '@hono/node-server'

/**
 * The kind of Response that @hono/node-server writes straight to the socket: made and sent in half of the time of Node's own, whose body is a
 * stream. It is to be had only as the global Response; so it takes that place for as long as it takes to look, and nobody else sees it there.
 */
const Light = (() => {
  const names = ['Request', 'Response'] as const
  const before = names.map((name) => [name, Object.getOwnPropertyDescriptor(globalThis, name)!] as const)
  getRequestListener(() => new Response())
  const found = globalThis.Response
  for (const [name, descriptor] of before) Object.defineProperty(globalThis, name, descriptor)
  return found
})()

/** `headers` stay open: what is added to them later is sent too. */
export function jsonResponse(output: unknown, headers: Headers): Response {
  headers.set('content-type', 'application/json')
  return new Light(JSON.stringify(output), { headers })
}

/** Whether its headers are those that it was made with. */
export const isJsonResponse = (response: Response): boolean => response instanceof Light
