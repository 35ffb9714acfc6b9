/** Has a person authorize a connection: the authority sends them back to this machine, and what they bring goes to the server. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'

type Came = { code: string; state: string; iss: string | undefined }

export async function authorizeConnection(invocation: Invocation, agent: string, connection: string): Promise<number> {
  const { terminal, world, isJson, printJson } = invocation
  const { connections } = await invocation.client()
  const came = Promise.withResolvers<Came>()
  came.promise.catch(() => {}) // Its waiter may come later.
  let wanted: string | undefined
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
    const state = searchParams.get('state')
    const code = searchParams.get('code')
    const isOurs = pathname === '/callback' && wanted !== undefined && state === wanted
    const refusal = searchParams.get('error')
    const text = !isOurs
      ? 'This is not what longhaul waits for.'
      : refusal === null
        ? 'Done. You can close this page.'
        : 'It was refused. You can close this page.'
    response.writeHead(isOurs ? 200 : 404, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(`${text}\n`)
    if (!isOurs || state === null) return
    if (code !== null) came.resolve({ code, state, iss: searchParams.get('iss') ?? undefined })
    else came.reject(new Problem('forbidden', `The authority refused: ${searchParams.get('error_description') ?? refusal ?? 'it gave no code'}.`))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const { port } = server.address() as AddressInfo // It listens on a port.
    const begun = await connections.authorize({ agent, connection, redirectUri: `http://127.0.0.1:${port}/callback` })
    wanted = begun.state
    if (isJson) printJson({ type: 'authorize', ...begun })
    else terminal.print(`  Open this in a browser on this machine, and allow it at ${begun.authority}:`, '', begun.url, '')
    const { code, state, iss } = await Promise.race([came.promise, interrupted(world.interrupted)])
    const done = await connections.finish({ agent, connection, code, state, ...(iss !== undefined && { iss }) })
    if (isJson) printJson({ type: 'authorized', ...done })
    else {
      terminal.print(`  The connection ${connection} of ${agent} is authorized at ${done.authority}.`)
      if (!done.isRefreshable) terminal.print('  It gave no refresh token: when the access ends, authorize it again.')
    }
    return exitCodes.done
  } finally {
    server.close()
    server.closeAllConnections()
  }
}

const interrupted = (signal: AbortSignal) =>
  new Promise<never>((_, reject) => {
    if (signal.aborted) reject(signal.reason as Error)
    signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true })
  })
