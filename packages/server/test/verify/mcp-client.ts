/**
 * Our client of MCP servers as a program, for the public conformance suite: `node mcp-client.ts <url>`, with the scenario in the environment. What a scenario needs beside
 * the address, a connection's declaration and the person who signs in, is what people would give.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type CallAnswered, type InputNeeded, type Json, McpConnection, type Secret, answersTo } from '@longhaul/protocol'
import type { Caller, Secrets } from '../../src/identity/index.ts'
import { StepFailure, newId, silentLog } from '../../src/kernel/index.ts'
import { openEgress } from '../../src/tools/egress/egress.ts'
import { openAuthorizations } from '../../src/tools/oauth/authorizations.ts'
import { type McpTarget, openMcpClients } from '../../src/tools/mcp/clients.ts'
import type { Definition } from '../../src/tools/mcp/definition.ts'
import { callMcpTool, listMcpTools } from '../../src/tools/mcp/mcp.ts'
import { openToolSecrets } from '../../src/tools/secrets.ts'

const url = process.argv.at(-1) ?? ''
const scenario = process.env['MCP_CONFORMANCE_SCENARIO'] ?? ''
const given = JSON.parse(process.env['MCP_CONFORMANCE_CONTEXT'] ?? '{}') as { client_id?: string; client_secret?: string; issuer?: string; toolCalls?: Calls }
type Calls = { name: string; arguments: Json }[]

const tenantId = newId()
const agent = 'conformance'
const connection = 'suite'
const signal = AbortSignal.timeout(25_000)

/** The tenant's secrets, as the vault would hold them. */
const held = new Map<string, { secret: Secret; value: string }>()
const secrets = {
  async set(_: unknown, { name, value, hosts = [], agents = null }: { name: string; value: string; hosts?: string[]; agents?: string[] | null }) {
    held.set(name, { secret: { name, hosts, agents } as Secret, value }) // What tools look at of it.
  },
  find: async (_: string, name: string) => held.get(name)?.secret,
  use: async (_: string, name: string) => held.get(name)?.value ?? '',
} as unknown as Secrets
const toolSecrets = openToolSecrets(secrets)
const egress = openEgress({ privateHosts: ['127.0.0.1', 'localhost', '[::1]'] })
const authorizations = openAuthorizations({ egress, secrets, readSecret: toolSecrets.read })
const hosted = () => Promise.reject(new Error('Nothing is started here.'))
const clients = openMcpClients({ egress, secrets: toolSecrets, authorizations, hosted, log: silentLog, version: '0.1.0' })

const oauth = await declaredOauth()
const declared = McpConnection.parse({ kind: 'mcp', url, timeoutMs: 20_000, ...(oauth && { oauth }) })
const target: McpTarget = { tenantId, agent, version: 'v1', connection, declared, folder: '' }

async function declaredOauth(): Promise<object | undefined> {
  if (!scenario.startsWith('auth/')) return undefined
  const { client_id: clientId, client_secret: clientSecret, issuer } = given
  if (clientSecret !== undefined) await secrets.set({} as Caller, { name: 'client', value: clientSecret, hosts: ['*'] } as never)
  if (scenario === 'auth/client-credentials-basic') return { issuer: issuer ?? (await authorityOf(url)), clientId, clientSecret: { secret: 'client' } }
  return {
    flow: 'authorization-code',
    ...(clientId !== undefined && { clientId }),
    ...(clientSecret !== undefined && { clientSecret: { secret: 'client' }, issuer: issuer ?? (await authorityOf(url)) }),
  }
}

/** Whom somebody who has registered by hand knows as the authority. */
async function authorityOf(server: string): Promise<string> {
  const { origin, pathname } = new URL(server)
  for (const path of [`/.well-known/oauth-protected-resource${pathname}`, '/.well-known/oauth-protected-resource']) {
    const response = await fetch(`${origin}${path}`)
    if (response.ok) return ((await response.json()) as { authorization_servers: string[] }).authorization_servers[0] ?? origin
  }
  return origin
}

/** Somebody signs in with a browser that follows where it is sent. */
async function authorize(): Promise<void> {
  const caller: Caller = { tenantId, askerId: undefined, keyId: 'k', name: 'person', permissions: [], access: { personalData: true } }
  if (!declared.oauth || !('flow' in declared.oauth)) throw new Error('Nobody is asked by this connection.')
  const of = { kind: 'mcp' as const, agent, connection, address: declared.url, oauth: declared.oauth }
  const heard = Promise.withResolvers<URL>()
  const listener = createServer((request, response) => {
    heard.resolve(new URL(request.url ?? '/', 'http://127.0.0.1'))
    response.end('You may close this page.')
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  try {
    const redirectUri = `http://127.0.0.1:${(listener.address() as AddressInfo).port}/callback`
    const { url: shown, state } = await authorizations.begin(caller, of, redirectUri)
    await (await fetch(shown)).body?.cancel()
    const { searchParams } = await heard.promise
    await authorizations.finish(caller, of, {
      state: searchParams.get('state') ?? state,
      code: searchParams.get('code') ?? '',
      iss: searchParams.get('iss') ?? undefined,
    })
  } finally {
    listener.close()
  }
}

/** With a person who says yes to whatever is asked, and leaves what has a default. */
async function call(definition: Definition, input: Json, answered?: CallAnswered): Promise<Json> {
  try {
    return await callMcpTool(clients, target, { definition, input, key: newId(), timeoutMs: 20_000, signal, answered, onProgress: () => {} })
  } catch (error) {
    const needed = error instanceof StepFailure && error.failure.code === 'needs_input' ? (error.failure.detail as InputNeeded) : undefined
    if (!needed) throw error
    const accepted = needed.asks.map((ask): [string, CallAnswered['responses'][string]] => [
      ask.key,
      { action: 'accept', ...(ask.fields && { content: contentOf(ask) }) },
    ])
    return call(definition, input, { responses: { ...needed.kept, ...Object.fromEntries(accepted) }, state: needed.state })
  }
}

function contentOf(ask: InputNeeded['asks'][number]) {
  const filled = (ask.fields ?? []).filter(({ isRequired, default: usual }) => isRequired && usual === undefined)
  const values = filled.map(({ name, kind, options, min }) => [
    name,
    kind === 'yes-no' ? true : kind === 'text' ? 'Ada' : options ? (options[0]?.value ?? '') : (min ?? 1),
  ])
  const read = answersTo([ask], { [ask.key]: Object.fromEntries(values) as Record<string, string | number | boolean> })
  if ('problem' in read) throw new Error(read.problem)
  return read.answers[ask.key] ?? {}
}

/** Some scenarios have servers that answer what is no MCP: it is enough that it is told. */
async function callOnce(definition: Definition, input: Json): Promise<void> {
  try {
    await call(definition, input)
  } catch (error) {
    if (!(error instanceof StepFailure) || error.failure.code === 'needs_authorization') throw error
    process.stderr.write(`${definition.name}: ${error.message}\n`)
  }
}

const inputOf = ({ name, inputSchema }: Definition, all: readonly Definition[]): Json => {
  if (name === 'json_schema_echo') return { schema: all.find((one) => one.name !== name)?.inputSchema ?? {} }
  const known = given.toolCalls?.find((one) => one.name === name)
  if (known) return known.arguments
  const { properties = {}, required = [] } = inputSchema as { properties?: Record<string, { type?: string }>; required?: string[] }
  return Object.fromEntries(required.map((key) => [key, properties[key]?.type === 'string' ? 'text' : properties[key]?.type === 'boolean' ? true : 1]))
}

/** Whatever the server has is listed and called once; where it wants a person again, one signs in again, as often as a person would. */
async function work(triesLeft = 3): Promise<void> {
  try {
    const { definitions } = await listMcpTools(clients, target, signal)
    for (const definition of definitions) await callOnce(definition, inputOf(definition, definitions))
  } catch (error) {
    if (!(error instanceof StepFailure) || error.failure.code !== 'needs_authorization' || triesLeft === 0) throw error
    await authorize()
    await work(triesLeft - 1)
  }
}

let exitCode = 0
try {
  await work()
} catch (error) {
  process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  exitCode = 1
}
await clients.stop()
await egress.stop()
process.exit(exitCode)
