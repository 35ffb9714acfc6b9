/** The HTTP API: every operation goes through the same steps, defined once. */
import { type Operation, errorCodes, operations, readFile, writeFiles } from '@longhaul/protocol'
import { type Context, Hono } from 'hono'
import type { z } from 'zod'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import { type Caller, isCsrfToken } from '../identity/index.ts'
import { AppError, type Log, type RateLimit, monotonicMs, newId, openRateLimit, toAppError } from '../kernel/index.ts'
import { consoleFiles } from './console.ts'
import { type FindFile, sendFile } from './files.ts'
import { addressOf, assertOwnPage, openExchange, readCookie } from './exchange.ts'
import { type GateOptions, assertPolicies, assertRate, assertSteppedUp, noteOutcome } from './gate.ts'
import { addressCheck, apiPolicy, securityHeaders } from './guard.ts'
import { type ReceiveHook, takeHook } from './hooks.ts'
import { type Implementation, assertComplete } from './implement.ts'
import { parseInput, readInput } from './input.ts'
import { assertReach } from './reach.ts'
import { readTree, writeTree } from './trees.ts'
import { type SandboxStreams, vercelRoutes } from './vercel/routes.ts'
import type { McpEndpoint } from './mcp.ts'

export type ApiOptions = Omit<GateOptions, 'log'> & {
  implementations: readonly Implementation[]
  /** Whose key or token this is; undefined when it is nobody's. */
  authenticate(secret: string): Promise<Caller | undefined>
  /** Whose cookie. */
  authenticateCookie(secret: string): Promise<Caller | undefined>
  findFile: FindFile
  /** What of sandboxes is no JSON. */
  streams: SandboxStreams
  mcp: Pick<McpEndpoint, 'handle'>
  receiveHook: ReceiveHook
  /** Rejects, with why, while the server cannot do its work. */
  health(): Promise<void>
  /** The built console. */
  consoleFolder: string
  /** What we listen on, and the address that people use if it is another. */
  host: string
  publicUrl?: string | undefined
  bodyBytesMax: number
  /** Requests that one key may make. */
  requestsPerMinute: number
  log: Log
}
/** What all requests share. */
type Shared = ApiOptions & { rate: RateLimit; rateOfUnknown: RateLimit; rateOfSenders: RateLimit }

/** Requests from one address that come without a key or a login: signing in, and nothing else. */
const unknownPerMinute = 300

/** Facts of a request that its one line in the log tells. */
type Variables = { requestId: string; facts: Record<string, unknown> }
type Api = Hono<{ Variables: Variables }>
type Ctx = Context<{ Variables: Variables }>

export function httpApi(given: ApiOptions): Api {
  const options: Shared = {
    ...given,
    rate: openRateLimit(given.requestsPerMinute),
    rateOfUnknown: openRateLimit(unknownPerMinute),
    rateOfSenders: openRateLimit(given.requestsPerMinute),
  }
  assertComplete(operations, options.implementations)
  const app: Api = new Hono()
  app.use(oneLinePerRequest(options))
  app.get('/healthz', healthz(options.health))
  for (const implementation of options.implementations) {
    const [method, path] = implementation.operation.http
    app.on(method, toPattern(path), (c) => answer(c, implementation, options))
  }
  app.get('/v1/files/:fileId', async (c) => {
    const caller = await admit(c, options)
    assertPermitted(caller, 'files:read')
    return sendFile(await options.findFile(caller, fileIdOf(c)), fileIdOf(c), c.req.method)
  })
  const tree = '/v1/sandboxes/:sandboxId/tree'
  app.get(tree, async (c) => {
    const { sandboxId } = c.req.param()
    return likeOperation(c, options, await admit(c, options), readFile, { sandboxId }, (caller) =>
      readTree(options.streams, caller, sandboxId, c.req.query('path')),
    )
  })
  app.put(tree, async (c) => {
    const { sandboxId } = c.req.param()
    return likeOperation(c, options, await admit(c, options), writeFiles, { sandboxId }, (caller) =>
      writeTree(options.streams, caller, sandboxId, c.req.query('path'), c.req.raw),
    )
  })
  for (const { method, path, handle } of vercelRoutes(options.streams)) {
    app.on(method, `/vercel${path}`, async (c) => {
      c.var.facts['operation'] = 'vercel'
      const caller = await admit(c, options)
      return handle({
        caller,
        request: c.req.raw,
        param: (name) => c.req.param(name) ?? '',
        readJson: () => readInput(c.req.raw, {}, options.bodyBytesMax),
        call: (operation, input) => callOperation(c, options, caller, operation, input),
        like: (operation, input, work) => likeOperation(c, options, caller, operation, input, work),
      })
    })
  }
  app.all('/mcp', async (c) => {
    c.var.facts['operation'] = 'mcp'
    const caller = await admit(c, options)
    assertPermitted(caller, 'agents:read')
    return options.mcp.handle(caller, c.req.raw)
  })
  app.post('/hooks/:tenant/:name', async (c) => {
    c.var.facts['operation'] = 'hooks.receive'
    // By address, before anything is looked up: whoever floods one hook leaves the other senders theirs.
    assertUnknownRate(options.rateOfSenders, c, options.publicUrl)
    return takeHook(options.receiveHook, c.req.raw, c.req.param(), options.bodyBytesMax)
  })
  for (const [path, methods] of offered()) {
    app.all(path, (c) => {
      c.header('allow', methods.join(', '))
      return refuse(c, new AppError('invalid', `${c.req.method} is not offered here. Use ${methods.join(' or ')}.`), 405)
    })
  }
  app.all('/vercel/*', (c) =>
    refuse(c, new AppError('not_found', `Of Vercel’s API there is nothing at ${c.req.path}. docs/guide/sandbox.md says what there is.`)),
  )
  app.all('/v1/*', (c) => refuse(c, new AppError('not_found', `There is nothing at ${c.req.path}.`)))
  app.get('*', consoleFiles(options.consoleFolder))
  app.notFound((c) => refuse(c, new AppError('invalid', `${c.req.method} is not offered here.`), 405))
  app.onError((error, c) => refuse(c, toAppError(error)))
  return app
}

async function answer(c: Ctx, implementation: Implementation, options: Shared): Promise<Response> {
  const { operation } = implementation
  c.var.facts['operation'] = operation.id
  if (operation.permission === 'anybody') return answerAnybody(c, implementation, options)
  const caller = await admit(c, options)
  const read = async () => parseInput(operation.input, await readInput(c.req.raw, c.req.param(), operation.bodyBytesMax ?? options.bodyBytesMax))
  return perform(c, options, implementation, caller, c.req.param(), read, (input) => carryOut(c, implementation, caller, input, options))
}

/** What every operation goes through, whatever the way it was asked for: permission, input, policies, and the note of its outcome. */
async function perform<Result>(
  c: Ctx,
  options: Shared,
  implementation: Implementation,
  caller: Caller,
  named: Record<string, unknown>,
  read: () => Promise<unknown>,
  work: (input: unknown) => Promise<Result>,
): Promise<Result> {
  const { operation } = implementation
  const { requestId } = c.var
  let input = named
  const asked = () => ({ operation, caller, input, requestId })
  try {
    assertPermitted(caller, operation.permission)
    input = (await read()) as Record<string, unknown> // Every operation's input is an object.
    assertReach(caller, operation, input)
    assertSteppedUp(options, asked())
    await assertPolicies(options, asked(), await implementation.about?.(caller, input))
    const result = await work(input)
    await noteOutcome(options, implementation, asked())
    return result
  } catch (error) {
    await noteOutcome(options, implementation, asked(), error)
    throw error
  }
}

/** Who asks is not known yet. Pages of others may not sign their visitors in as somebody else. */
async function answerAnybody(c: Ctx, implementation: Implementation, options: Shared): Promise<Response> {
  const { operation } = implementation
  assertOwnPage(c, options.publicUrl)
  assertUnknownRate(options.rateOfUnknown, c, options.publicUrl)
  const input = parseInput(operation.input, await readInput(c.req.raw, c.req.param(), options.bodyBytesMax))
  return carryOut(c, implementation, undefined, input, options)
}

function implementationOf({ implementations }: Shared, operation: Operation): Implementation {
  const found = implementations.find((each) => each.operation === operation)
  if (!found) throw new Error(`${operation.id} has no implementation.`) // `assertComplete` has seen to it.
  return found
}

/** An operation, asked for in another form than its own. */
async function callOperation<Input extends z.ZodType, Output extends z.ZodType>(
  c: Ctx,
  options: Shared,
  caller: Caller,
  operation: Operation<Input, Output>,
  given: z.input<Input>,
): Promise<z.output<Output>> {
  const implementation = implementationOf(options, operation)
  const named = given as Record<string, unknown> // Every operation's input is an object.
  const read = async () => parseInput(operation.input, given)
  return perform(c, options, implementation, caller, named, read, async (input) =>
    checkOutput(operation, await implementation.handle(caller, input, openExchange(c, options.publicUrl))),
  )
}

/** What has no form of its own among the operations, but may be done by whoever may do this one. */
async function likeOperation<Result>(
  c: Ctx,
  options: Shared,
  caller: Caller,
  operation: Operation,
  input: Record<string, unknown>,
  work: (caller: Caller) => Promise<Result>,
): Promise<Result> {
  return perform(
    c,
    options,
    implementationOf(options, operation),
    caller,
    input,
    async () => input,
    () => work(caller),
  )
}

function assertUnknownRate(rate: RateLimit, c: Ctx, publicUrl: string | undefined): void {
  const { isAllowed, retryAfterS } = rate.take(addressOf(c, publicUrl))
  if (!isAllowed) throw new AppError('over_limit', `Too many requests from here. Try again in ${retryAfterS} s.`, undefined, retryAfterS)
}

async function carryOut(
  c: Ctx,
  { operation, handle, stream }: Implementation,
  caller: Caller | undefined,
  input: unknown,
  { publicUrl }: Shared,
): Promise<Response> {
  if (stream && caller && c.req.method === 'GET' && c.req.header('accept')?.includes('text/event-stream')) return stream(caller, input, c.req.raw)
  return c.json(checkOutput(operation, await handle(caller, input, openExchange(c, publicUrl))) as object)
}

function checkOutput<Output extends z.ZodType>({ output }: Operation<z.ZodType, Output>, result: unknown): z.output<Output> {
  const checked = output.safeParse(result)
  if (!checked.success) throw new AppError('internal', 'Internal error.', checked.error) // Ours, not the caller's: the contract is broken.
  return checked.data
}

function assertPermitted(caller: Caller, permission: Operation['permission']): void {
  if (permission === 'anybody' || permission === 'oneself') return // What is for oneself asks for a login by itself.
  if (!caller.permissions.includes(permission)) throw new AppError('forbidden', `This needs the permission ${permission}, which ${caller.name} lacks.`)
}

/** Who is calling, once it is known that they may call now. */
async function admit(c: Ctx, options: Shared): Promise<Caller> {
  const caller = await identify(c, options)
  Object.assign(c.var.facts, { tenantId: caller.tenantId, keyId: caller.keyId })
  for (const [name, value] of Object.entries(await assertRate(options, options.rate, caller, c.var.requestId))) c.header(name, value)
  return caller
}

/** By the key or token if there is one, else by the cookie, with which only pages of ours may change anything. */
async function identify(c: Ctx, options: Shared): Promise<Caller> {
  const authorization = c.req.header('authorization')
  const cookie = authorization === undefined ? readCookie(c, 'login') : undefined
  if (cookie !== undefined) {
    const caller = await options.authenticateCookie(cookie)
    if (!caller) throw new AppError('unauthenticated', 'You were signed out. Sign in again.')
    if (c.req.method !== 'GET' && c.req.method !== 'HEAD') {
      assertOwnPage(c, options.publicUrl)
      if (!isCsrfToken(cookie, c.req.header('x-csrf-token')))
        throw new AppError('forbidden', 'The header x-csrf-token is missing or wrong. Load the page again.')
    }
    return caller
  }
  const [, secret] = /^Bearer +(\S+) *$/i.exec(authorization ?? '') ?? []
  if (secret === undefined) throw new AppError('unauthenticated', 'A key or a login is needed: Authorization: Bearer lh_…')
  const caller = await options.authenticate(secret)
  if (!caller) throw new AppError('unauthenticated', 'This key or login is unknown, has expired or was revoked.')
  return caller
}

/** Outermost, so that whatever happens inside, the request gets its id, its headers and its line. */
function oneLinePerRequest({ host, publicUrl, log }: ApiOptions) {
  const checkAddress = addressCheck(host, publicUrl)
  return async (c: Ctx, next: () => Promise<void>): Promise<void> => {
    const from = monotonicMs()
    const given = c.req.header('x-request-id')
    const requestId = given && /^[\w-]{1,64}$/.test(given) ? given : newId()
    c.set('requestId', requestId)
    c.set('facts', {})
    try {
      checkAddress(c.req.header('host') ?? new URL(c.req.url).host, c.req.header('origin'))
      await next()
    } catch (error) {
      c.res = refuse(c, toAppError(error)) // The check's: what `next` throws goes to `onError`.
    }
    c.res.headers.set('x-request-id', requestId)
    for (const [name, value] of Object.entries(securityHeaders)) c.res.headers.set(name, value)
    if (!c.res.headers.has('content-security-policy')) c.res.headers.set('content-security-policy', apiPolicy)
    if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store')
    const line = { requestId, method: c.req.method, path: c.req.path, status: c.res.status, ms: Math.round((monotonicMs() - from) * 10) / 10, ...c.var.facts }
    if (c.var.facts['operation'] || c.res.status >= 400) log.info('request', line)
    else log.debug('request', line) // The console's files and the pulse.
    if (c.var.facts['fault']) log.error('request failed', { requestId, error: c.var.facts['fault'] })
  }
}

function refuse(c: Ctx, error: AppError, status: number = errorCodes[error.code].http): Response {
  c.var.facts['code'] = error.code
  if (error.code === 'internal') c.var.facts['fault'] = error.cause ?? error
  if (error.code === 'unauthenticated') c.header('www-authenticate', 'Bearer')
  if (error.retryAfterS !== undefined) c.header('retry-after', String(error.retryAfterS))
  const body = { error: { code: error.code, message: error.message, requestId: c.var.requestId } }
  if (!c.req.header('accept')?.includes('application/problem+json')) return c.json(body, status as ContentfulStatusCode)
  // RFC 9457. Our own shape stays in it.
  const problem = { type: 'about:blank', title: error.code, status, detail: error.message, instance: `urn:request:${c.var.requestId}`, ...body }
  return c.json(problem, status as ContentfulStatusCode, { 'content-type': 'application/problem+json' })
}

/** One check at a time, whoever asks: anybody may ask, and each costs a query. */
function healthz(health: () => Promise<void>) {
  let running: Promise<void> | undefined
  return async (c: Ctx): Promise<Response> => {
    running ??= health().finally(() => (running = undefined))
    await running.catch((error: unknown) => {
      throw error instanceof AppError && error.code === 'unavailable' ? error : new AppError('unavailable', 'The server is not able to work.', error)
    })
    return c.json({ status: 'ok' })
  }
}

const toPattern = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1')

/** Which methods each path has. */
function offered(): Map<string, string[]> {
  const others = [
    ['GET', '/v1/files/{fileId}'],
    ['GET', '/v1/sandboxes/{sandboxId}/tree'],
    ['PUT', '/v1/sandboxes/{sandboxId}/tree'],
    ['GET', '/healthz'],
    ['POST', '/hooks/{tenant}/{name}'],
  ] as const
  const methods = Map.groupBy([...operations.map(({ http }) => http), ...others], ([, path]) => toPattern(path))
  return new Map([...methods].map(([path, https]) => [path, https.map(([method]) => method)]))
}

function fileIdOf(c: Ctx): string {
  const fileId = c.req.param('fileId') ?? ''
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(fileId)) throw new AppError('invalid', 'fileId: must be a UUID.')
  return fileId
}
