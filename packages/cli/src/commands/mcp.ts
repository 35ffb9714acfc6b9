/** `longhaul mcp`: an MCP server on standard input and output, for desktop programs, that passes everything on to the server's `/mcp`. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { Server } from '@modelcontextprotocol/server'
import { serveStdio } from '@modelcontextprotocol/server/stdio'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'

/** Progress keeps a call alive; without any it ends after this. */
const silenceMsMax = 900_000

export async function serveMcp({ world, credentials }: Invocation, version: string): Promise<number> {
  const { url, key } = await credentials()
  const client = new Client({ name: 'longhaul-cli', version }, { versionNegotiation: { mode: 'auto' } })
  // Connected first, so that a wrong key or address is told before a desktop program believes that all is well.
  await client.connect(new StreamableHTTPClientTransport(new URL('/mcp', url), { requestInit: { headers: { authorization: `Bearer ${key}` } } }))
  const { promise: ended, resolve: end } = Promise.withResolvers<void>()
  const handle = serveStdio(() => bridge(client, version), { onerror: (error) => void world.stderr.write(`${error.message}\n`) })
  process.stdin.once('close', end) // The desktop program has gone.
  process.stdin.once('end', end)
  world.interrupted.addEventListener('abort', () => end())
  await ended
  await handle.close()
  await client.close()
  return exitCodes.done
}

function bridge(client: Client, version: string): Server {
  const server = new Server({ name: 'longhaul', version }, { capabilities: { tools: {} } })
  server.setRequestHandler('tools/list', async () => client.listTools())
  server.setRequestHandler('tools/call', async ({ params }, { mcpReq }) => {
    const progressToken = mcpReq._meta?.progressToken
    return client.callTool(
      { name: params.name, ...(params.arguments && { arguments: params.arguments }) },
      {
        signal: mcpReq.signal,
        timeout: silenceMsMax,
        resetTimeoutOnProgress: true,
        onprogress: (progress) => {
          if (progressToken !== undefined) void mcpReq.notify({ method: 'notifications/progress', params: { ...progress, progressToken } })
        },
      },
    )
  })
  return server
}
