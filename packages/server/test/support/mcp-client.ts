/** The official client of the protocol, for tests of other packages too. */
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

export async function connectMcp(url: string, key: string): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' })
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { requestInit: { headers: { authorization: `Bearer ${key}` } } }))
  return client
}
