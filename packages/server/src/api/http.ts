/** The HTTP API: every operation goes through the same steps, defined once. */
import { hash } from 'node:crypto'
import { type Operation, createAttachment, errorCodes, getAttachment, operations, readFile, writeFiles } from '@longhaul/protocol'
import { type Context, Hono } from 'hono'
import type { z } from 'zod'
import type { ContentfulStatusCode } from 'hono/utils/http-status'
import type { Caller } from '../identity/index.ts'
import { AppError, type Log, type RateLimit, monotonicMs, newId, openRateLimit, toAppError } from '../kernel/index.ts'
import { type AttachmentFiles, sendAttachment, takeUpload, uploadFields } from './attachments.ts'
import { consoleFiles } from './console.ts'
import { docsPage, docsPolicy } from './docs-page.ts'
import { type FindFile, sendFile } from './files.ts'
import { type Admission, whileAdmitted } from './admission.ts'
import { isAmong } from './edits.ts'
import { type Asks, assertOwnPage, openExchange } from './exchange.ts'
import { addressCheck, apiPolicy, securityHeaders } from './guard.ts'
import { type ReceiveHook, takeHook } from './hooks.ts'
import type { Implementation } from './implement.ts'
import { parseInput, readInput } from './input.ts'
import { isJsonResponse, jsonResponse } from './json-response.ts'
import { openApi } from './open-api.ts'
import { type Pipeline, assertPermitted, takeFrom } from './pipeline.ts'
import { answerWithFrames } from './server-sent-events.ts'
import { readTree, writeTree } from './trees.ts'
import { type SandboxStreams, vercelRoutes } from './vercel/routes.ts'
import type { McpServers } from './mcp-servers/mcp-servers.ts'
import type { McpEndpoint } from './mcp.ts'

export type ApiOptions = {
  pipeline: Pipeline
  findFile: FindFile
  attachments: AttachmentFiles
  /** What of sandboxes is no JSON. */
  streams: SandboxStreams
  mcp: Pick<McpEndpoint, 'handle'>
  mcpServers: Pick<McpServers, 'handle'>
  receiveHook: ReceiveHook
  /** Rejects, with why, while the server cannot do its work. */
  health(): Promise<void>
  /** The built console. */
  consoleFolder: string
  /** What we listen on, and the address that people use if it is another. */
  host: string
  publicUrl?: string | undefined
  bodyBytesMax: number
  /** Requests that one sender of webhooks may make. */
  requestsPerMinute: number
  /** Aborted when the server stops: event streams end then. */
  stopping: AbortSignal
  log: Log
}
/** What all requests share. */
type Shared = ApiOptions & { rateOfSenders: RateLimit }

type Variables = {
  requestId: string
  /** What its one line in the log tells. */
  facts: Record<string, unknown>
  /** Of its answer, whichever it will be. */
  headers: Headers
}
type Api = Hono<{ Variables: Variables }>
type Ctx = Context<{ Variables: Variables }>

export function httpApi(given: ApiOptions): Api {
  const options: Shared = {
    ...given,
    rateOfSenders: openRateLimit(given.requestsPerMinute),
  }
  const app: Api = new Hono()
  app.use(oneLinePerRequest(options))
  app.get('/healthz', healthz(options.health))
  app.get(
    '/v1/openapi.json',
    fixed('application/json', () => JSON.stringify(openApi())),
  )
  app.get(
    '/v1/docs',
    fixed('text/html; charset=utf-8', () => docsPage(openApi()), docsPolicy),
  )
  app.post('/v1/attachments', async (c, next) => {
    if (!isBytes(c.req.header('content-type'))) return next()
    c.get('facts')['operation'] = createAttachment.id
    const { caller } = await admit(c, options)
    const fields = () => parseInput(uploadFields, c.req.query())
    return likeOperation(c, options, caller, createAttachment, fields, (by) => takeUpload(options.attachments, by, fields(), c.req.raw))
  })
  app.get('/v1/attachments/:attachmentId/content', async (c) => {
    const { attachmentId } = c.req.param()
    return likeOperation(
      c,
      options,
      (await admit(c, options)).caller,
      getAttachment,
      () => ({ attachmentId }),
      (caller) => sendAttachment(options.attachments, caller, attachmentId),
    )
  })
  for (const implementation of options.pipeline.implementations) {
    const [method, path] = implementation.operation.http
    app.on(method, toPattern(path), (c) => answer(c, implementation, options))
  }
  app.get('/v1/files/:fileId', async (c) => {
    const { caller } = await admit(c, options)
    assertPermitted(caller, 'files:read')
    return sendFile(await options.findFile(caller, fileIdOf(c)), fileIdOf(c), c.req.method)
  })
  const tree = '/v1/sandboxes/:sandboxId/tree'
  app.get(tree, async (c) => {
    const { sandboxId } = c.req.param()
    return likeOperation(
      c,
      options,
      (await admit(c, options)).caller,
      readFile,
      () => ({ sandboxId }),
      (caller) => readTree(options.streams, caller, sandboxId, c.req.query('path')),
    )
  })
  app.put(tree, async (c) => {
    const { sandboxId } = c.req.param()
    return likeOperation(
      c,
      options,
      (await admit(c, options)).caller,
      writeFiles,
      () => ({ sandboxId }),
      (caller) => writeTree(options.streams, caller, sandboxId, c.req.query('path'), c.req.raw),
    )
  })
  for (const { method, path, handle } of vercelRoutes(options.streams)) {
    app.on(method, `/vercel${path}`, async (c) => {
      c.get('facts')['operation'] = 'vercel'
      const { caller } = await admit(c, options)
      return handle({
        caller,
        request: c.req.raw,
        param: (name) => c.req.param(name) ?? '',
        readJson: () => readInput(c.req.raw, {}, options.bodyBytesMax),
        call: (operation, input) => callOperation(c, options, caller, operation, input),
        like: (operation, input, work) => likeOperation(c, options, caller, operation, () => input, work),
      })
    })
  }
  app.all('/mcp', async (c) => {
    c.get('facts')['operation'] = 'mcp'
    const { caller } = await admit(c, options)
    assertPermitted(caller, 'agents:read')
    return options.mcp.handle(caller, c.req.raw)
  })
  app.all('/mcp/:name', async (c) => {
    c.get('facts')['operation'] = 'mcp.server'
    return options.mcpServers.handle(await admit(c, options), c.req.param('name'), c.req.raw)
  })
  app.post('/hooks/:tenant/:name', async (c) => {
    c.get('facts')['operation'] = 'hooks.receive'
    // By address, before anything is looked up: whoever floods one hook leaves the other senders theirs.
    takeFrom(options.rateOfSenders, asksOf(c), options.publicUrl)
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

async function answer(c: Ctx, { operation, stream }: Implementation, options: Shared): Promise<Response> {
  const { pipeline } = options
  c.get('facts')['operation'] = operation.id
  const read = async () => parseInput(operation.input, await readInput(c.req.raw, c.req.param(), operation.bodyBytesMax ?? options.bodyBytesMax))
  if (operation.permission === 'anybody') {
    // Who asks is not known yet. Pages of others may not sign their visitors in as somebody else.
    assertOwnPage(asksOf(c), options.publicUrl)
    pipeline.admitUnknown(asksOf(c))
    return jsonResponse(await pipeline.callAsAnybody(operation, await read(), exchangeOf(c, options)), c.get('headers'))
  }
  const admission = await admit(c, options)
  const asked = { operation, caller: admission.caller, requestId: c.get('requestId'), named: c.req.param(), read }
  const lastId = c.req.header('last-event-id')
  const accepted = c.req.header('accept') ?? ''
  // Only who follows a stream has a last event of it.
  const wantsStream = lastId !== undefined || accepted.includes('text/event-stream') || (operation.isStreamFirst && !accepted.includes('application/json'))
  if (stream && c.req.method === 'GET' && wantsStream) {
    const after = lastId || undefined // It wins over the address, which is still the one of the first time.
    return answerWithFrames((gone) => whileAdmitted(admission, gone, (end) => pipeline.follow(asked, { after, end })), options.stopping)
  }
  const exchange = exchangeOf(c, options)
  const output = await pipeline.call(asked, exchange)
  const { ifNoneMatch } = exchange.precondition
  if (c.req.method === 'GET' && ifNoneMatch !== undefined && isAmong(ifNoneMatch, (output as { etag?: string }).etag)) return c.body(null, 304)
  return jsonResponse(output, c.get('headers'))
}

/** An operation, asked for in another form than its own. */
async function callOperation<Input extends z.ZodType, Output extends z.ZodType>(
  c: Ctx,
  options: Shared,
  caller: Caller,
  operation: Operation<Input, Output>,
  given: z.input<Input>,
): Promise<z.output<Output>> {
  const named = given as Record<string, unknown> // Every operation's input is an object.
  const asked = { operation, caller, requestId: c.get('requestId'), named, read: async () => parseInput(operation.input, given) }
  return (await options.pipeline.call(asked, exchangeOf(c, options))) as z.output<Output> // As its contract has cut it.
}

/** What has no form of its own among the operations, but may be done by whoever may do this one. */
const likeOperation = <Result>(
  c: Ctx,
  { pipeline }: Shared,
  caller: Caller,
  operation: Operation,
  input: () => Record<string, unknown>,
  work: (caller: Caller) => Promise<Result>,
): Promise<Result> =>
  pipeline.perform({ operation, caller, requestId: c.get('requestId'), named: c.req.param(), read: async () => input() }, () => work(caller))

const isBytes = (contentType = ''): boolean => /^application\/octet-stream\b/i.test(contentType)

async function admit(c: Ctx, { pipeline }: Shared): Promise<Admission> {
  const { headers, ...admission } = await pipeline.admit(asksOf(c), c.get('requestId'), c.req.method !== 'GET' && c.req.method !== 'HEAD')
  Object.assign(c.get('facts'), { tenantId: admission.caller.tenantId, keyId: admission.caller.keyId })
  for (const [name, value] of Object.entries(headers)) c.get('headers').set(name, value)
  return admission
}

function asksOf(c: Ctx): Asks {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined // What @hono/node-server hands over; a test hands over nothing.
  return {
    header: (name) => c.req.header(name) ?? (name === 'host' ? new URL(c.req.url).host : undefined),
    peer: env?.incoming?.socket?.remoteAddress,
  }
}

const exchangeOf = (c: Ctx, { publicUrl }: Shared) =>
  openExchange(asksOf(c), publicUrl, (name, value) => (name === 'set-cookie' ? c.get('headers').append(name, value) : c.get('headers').set(name, value)))

/** Outermost, so that whatever happens inside, the request gets its id, its headers and its line. */
function oneLinePerRequest({ host, publicUrl, log }: ApiOptions) {
  const checkAddress = addressCheck(host, publicUrl)
  return async (c: Ctx, next: () => Promise<void>): Promise<void> => {
    const from = monotonicMs()
    const given = c.req.header('x-request-id')
    const requestId = given && /^[\w-]{1,64}$/.test(given) ? given : newId()
    const facts: Record<string, unknown> = {}
    const headers = new Headers({ 'x-request-id': requestId, ...securityHeaders })
    c.set('requestId', requestId)
    c.set('facts', facts)
    c.set('headers', headers)
    try {
      checkAddress(c.req.header('host') ?? new URL(c.req.url).host, c.req.header('origin'))
      await next()
    } catch (error) {
      c.res = refuse(c, toAppError(error)) // The check's: what `next` throws goes to `onError`.
    }
    if (!isJsonResponse(c.res)) for (const [name, value] of headers) c.res.headers.append(name, value)
    if (!c.res.headers.has('content-security-policy')) c.res.headers.set('content-security-policy', apiPolicy)
    if (!c.res.headers.has('cache-control')) c.res.headers.set('cache-control', 'no-store')
    const line = { requestId, method: c.req.method, path: c.req.path, status: c.res.status, ms: Math.round((monotonicMs() - from) * 10) / 10, ...facts }
    if (facts['operation'] || c.res.status >= 400) log.info('request', line)
    else log.debug('request', line) // The console's files and the pulse.
    if (facts['fault']) log.error('request failed', { requestId, error: facts['fault'] })
  }
}

function refuse(c: Ctx, error: AppError, status: number = errorCodes[error.code].http): Response {
  c.get('facts')['code'] = error.code
  if (error.code === 'internal') c.get('facts')['fault'] = error.cause ?? error
  if (error.code === 'unauthenticated') c.header('www-authenticate', 'Bearer')
  if (error.retryAfterS !== undefined) c.header('retry-after', String(error.retryAfterS))
  const body = { error: { code: error.code, message: error.message, requestId: c.get('requestId') } }
  if (!c.req.header('accept')?.includes('application/problem+json')) return c.json(body, status as ContentfulStatusCode)
  // RFC 9457. Our own shape stays in it.
  const problem = { type: 'about:blank', title: error.code, status, detail: error.message, instance: `urn:request:${c.get('requestId')}`, ...body }
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

/** The same for everybody, so it is made once, when it is first asked for. */
function fixed(contentType: string, make: () => string, policy = apiPolicy) {
  let made: { text: string; etag: string } | undefined
  return (c: Ctx): Response => {
    made ??= tagged(make())
    c.header('etag', made.etag)
    c.header('cache-control', 'no-cache')
    c.header('content-security-policy', policy)
    if (c.req.header('if-none-match') === made.etag) return c.body(null, 304)
    return c.body(made.text, 200, { 'content-type': contentType })
  }
}

const tagged = (text: string) => ({ text, etag: `"${hash('sha256', text, 'base64url')}"` })

const toPattern = (path: string): string => path.replaceAll(/\{(\w+)\}/g, ':$1')

/** Which methods each path has. */
function offered(): Map<string, string[]> {
  const others = [
    ['GET', '/v1/files/{fileId}'],
    ['GET', '/v1/sandboxes/{sandboxId}/tree'],
    ['PUT', '/v1/sandboxes/{sandboxId}/tree'],
    ['GET', '/healthz'],
    ['GET', '/v1/openapi.json'],
    ['GET', '/v1/docs'],
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
