/**
 * The part of Vercel's sandbox API that its npm client needs for what both have in common. Each request becomes one of our own operations, with
 * its permission, policies and audit; what we do not have is refused by name, never ignored.
 */
import {
  type Operation,
  createSandbox,
  deleteSnapshot,
  execInSandbox,
  forkSandbox,
  getSandbox,
  getSandboxStats,
  killProcess,
  listSandboxes,
  listSnapshots,
  readFile,
  readOutput,
  releaseSandbox,
  setSandboxEgress,
  snapshotSandbox,
  startProcess,
  stopSandbox,
  writeFiles,
} from '@longhaul/protocol'
import { posix } from 'node:path'
import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { createGunzip } from 'node:zlib'
import { z } from 'zod'
import type { Caller } from '../../identity/index.ts'
import { AppError } from '../../kernel/index.ts'
import type { SandboxService } from '../../sandbox/index.ts'
import { parseInput } from '../input.ts'
import { NetworkPolicy, toCommand, toEgress, toSandbox, toSession, toSnapshot } from './shapes.ts'
import { commandLines, lines, untilEnd } from './streams.ts'

export type SandboxStreams = Pick<SandboxService, 'packTree' | 'unpackTree' | 'readOutput' | 'waitForOutput'>

export type Asked = {
  caller: Caller
  request: Request
  param(name: string): string
  /** Query and body together, bounded. */
  readJson(): Promise<Record<string, unknown>>
  call<Input extends z.ZodType, Output extends z.ZodType>(operation: Operation<Input, Output>, input: z.input<Input>): Promise<z.output<Output>>
  /** Does `work` if the caller may do what the operation does. */
  like<Result>(operation: Operation, input: Record<string, unknown>, work: (caller: Caller) => Promise<Result>): Promise<Result>
}
export type VercelRoute = { method: 'GET' | 'POST' | 'PATCH' | 'DELETE'; path: string; handle(asked: Asked): Promise<Response> }

const workspace = '/workspace'
const fileBytesMax = 8_000_000
const ttlMsMin = 60_000
const guide = 'docs/guide/sandbox.md says what both have in common.'

/** Whose account and project it is, the key says. Where it runs is where we run. */
const ignored = new Set(['projectId', 'project', 'teamId', 'region'])

/** Fields that we have, checked; any other that says something is refused by its name. */
function take<Schema extends z.ZodObject>(schema: Schema, given: Record<string, unknown>): z.output<Schema> {
  const says = (value: unknown) => value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0)
  const unknown = Object.entries(given).filter(([name, value]) => says(value) && !ignored.has(name) && !(name in schema.shape))
  if (unknown.length > 0) throw new AppError('invalid', `${unknown.map(([name]) => name).join(', ')}: sandboxes here have no such thing. ${guide}`)
  return parseInput(schema, Object.fromEntries(Object.entries(given).filter(([name, value]) => name in schema.shape && value !== null)))
}

const Create = z.object({
  name: z.string().optional(),
  timeout: z.number().int().min(1).optional(),
  env: z.record(z.string(), z.string()).optional(),
  source: z.object({ type: z.literal('snapshot', 'only snapshots can be begun with here'), snapshotId: z.string() }).optional(),
  resources: z.object({ vcpus: z.number().min(0.25).max(64) }).optional(),
  networkPolicy: NetworkPolicy.optional(),
  persistent: z.literal(true, 'every sandbox here keeps its files; delete() ends one').optional(),
})
const Fork = z.object({ name: z.string().optional(), timeout: z.number().int().min(1).optional() })
const Update = z.object({ networkPolicy: NetworkPolicy })
const Run = z.object({
  command: z.string(),
  args: z.array(z.string()).default([]),
  cwd: z.string().optional(),
  env: z.record(z.string(), z.string()).optional(),
  wait: z.boolean().default(false),
  logs: z.boolean().optional(),
  timeout: z.number().int().min(1).optional(),
})
const Place = z.object({ path: z.string(), cwd: z.string().optional() })
const Page = z.object({ limit: z.coerce.number().int().min(1).max(200).default(50), cursor: z.string().optional(), sortOrder: z.literal('desc').optional() })
const ListSandboxes = z.object({ ...Page.shape, sortBy: z.literal('createdAt').optional() })
const ListSnapshots = z.object({ ...Page.shape, name: z.string().optional() })
const ListSessions = z.object({ ...Page.shape, name: z.string() })
const Snap = z.object({ expiration: z.literal(0, 'snapshots here are kept until they are deleted').optional() })

const ttlOf = (timeout: number | undefined) => (timeout === undefined ? {} : { ttlMs: Math.max(ttlMsMin, timeout) })
const inside = ({ path, cwd = workspace }: { path: string; cwd?: string | undefined }) => posix.resolve(workspace, cwd, path)
const json = (body: object) => Response.json(body)

export function vercelRoutes(streams: SandboxStreams): VercelRoute[] {
  const session = '/v2/sandboxes/sessions/:session'
  const whole = (sandbox: Parameters<typeof toSandbox>[0]) => ({ sandbox: toSandbox(sandbox), session: toSession(sandbox), routes: [] })

  async function create({ call, readJson }: Asked): Promise<Response> {
    const { name, timeout, env, source, resources, networkPolicy } = take(Create, await readJson())
    const sandbox = await call(createSandbox, {
      ...(name !== undefined && { name }),
      ...(env && { env }),
      ...(source && { snapshot: source.snapshotId }),
      ...(resources && { limits: { memoryBytesMax: Math.round(resources.vcpus * 2_048 * 1024 * 1024) } }),
      ...(networkPolicy && toEgress(networkPolicy)),
      ...ttlOf(timeout),
    })
    return json(whole(sandbox))
  }

  /** One that was stopped is gone, for them. */
  async function find({ call }: Asked, sandboxId: string) {
    const sandbox = await call(getSandbox, { sandboxId })
    if (sandbox.state === 'stopped') throw new AppError('not_found', `Sandbox ${sandboxId} was deleted.`)
    return sandbox
  }

  async function run(asked: Asked): Promise<Response> {
    const { call, param, readJson, caller } = asked
    const { command, args, cwd, env, wait, timeout } = take(Run, await readJson())
    const sandboxId = param('session')
    const process = await call(startProcess, {
      sandboxId,
      cmd: command,
      args,
      ...(cwd !== undefined && { cwd }),
      ...(env && { env }),
      ...(timeout !== undefined && { timeoutMs: timeout }),
    })
    const known = { name: command, args, cwd: cwd ?? workspace }
    if (!wait) return json({ command: toCommand(process, known) })
    return lines((gone) => commandLines({ streams, caller, process, known }, gone))
  }

  async function setPolicy({ call, readJson }: Asked, sandboxId: string, schema: (given: Record<string, unknown>) => z.output<typeof NetworkPolicy>) {
    const { egress = null } = toEgress(schema(await readJson()))
    return call(setSandboxEgress, { sandboxId, egress })
  }

  return [
    { method: 'POST', path: '/v2/sandboxes', handle: create },
    { method: 'POST', path: '/v3/sandboxes', handle: create },
    {
      method: 'GET',
      path: '/v2/sandboxes',
      async handle({ call, readJson }) {
        const { limit, cursor } = take(ListSandboxes, await readJson())
        const { items, next } = await call(listSandboxes, { limit, ...(cursor !== undefined && { cursor }) })
        return json({ sandboxes: items.map(toSandbox), pagination: { count: items.length, next } })
      },
    },
    {
      method: 'GET',
      path: '/v2/sandboxes/sessions',
      async handle(asked) {
        const { name } = take(ListSessions, await asked.readJson())
        return json({ sessions: [toSession(await find(asked, name))], pagination: { count: 1, next: null } })
      },
    },
    {
      method: 'GET',
      path: '/v2/sandboxes/snapshots',
      async handle(asked) {
        const { limit, cursor, name } = take(ListSnapshots, await asked.readJson())
        const of = name === undefined ? undefined : await find(asked, name)
        const { items, next } = await asked.call(listSnapshots, { limit, ...(cursor !== undefined && { cursor }) })
        const snapshots = items.filter(({ sandboxId }) => of === undefined || sandboxId === of.id).map(toSnapshot)
        return json({ snapshots, pagination: { count: snapshots.length, next } })
      },
    },
    {
      method: 'DELETE',
      path: '/v2/sandboxes/snapshots/:snapshot',
      handle: async ({ call, param }) =>
        json({ snapshot: { ...toSnapshot(await call(deleteSnapshot, { snapshotId: param('snapshot') })), status: 'deleted' } }),
    },
    {
      method: 'GET',
      path: session,
      async handle(asked) {
        const { session: found, routes } = whole(await find(asked, asked.param('session')))
        return json({ session: found, routes })
      },
    },
    { method: 'POST', path: `${session}/cmd`, handle: run },
    {
      method: 'GET',
      path: `${session}/cmd/:command`,
      async handle({ like, param, request, caller }) {
        const [sandboxId, processId] = [param('session'), param('command')]
        const isWaiting = new URL(request.url).searchParams.get('wait') === 'true'
        const process = await like(readOutput, { sandboxId, processId }, async () =>
          isWaiting ? untilEnd(streams, caller, sandboxId, processId) : (await streams.readOutput(caller, sandboxId, processId, -1)).process,
        )
        return json({ command: toCommand(process) })
      },
    },
    {
      method: 'GET',
      path: `${session}/cmd/:command/logs`,
      async handle({ like, param, caller }) {
        const [sandboxId, processId] = [param('session'), param('command')]
        const { process } = await like(readOutput, { sandboxId, processId }, () => streams.readOutput(caller, sandboxId, processId, -1))
        return lines((gone) => commandLines({ streams, caller, process, isOutputAlone: true }, gone))
      },
    },
    {
      method: 'POST',
      path: `${session}/cmd/:command/kill`,
      handle: async ({ call, param }) => json({ command: toCommand(await call(killProcess, { sandboxId: param('session'), processId: param('command') })) }),
    },
    {
      method: 'POST',
      path: `${session}/fs/mkdir`,
      async handle({ call, param, readJson }) {
        const { exitCode, stderr } = await call(execInSandbox, {
          sandboxId: param('session'),
          cmd: 'mkdir',
          args: ['--', inside(take(Place, await readJson()))],
        })
        if (exitCode !== 0) throw new AppError('invalid', stderr.trim().slice(0, 500) || 'The folder could not be made.')
        return json({})
      },
    },
    {
      method: 'POST',
      path: `${session}/fs/write`,
      async handle({ like, param, request }) {
        const sandboxId = param('session')
        await like(writeFiles, { sandboxId }, async (caller) => {
          if (!request.body) throw new AppError('invalid', 'The body must be a compressed tar archive.')
          const folder = request.headers.get('x-cwd') ?? workspace
          await streams.unpackTree(caller, sandboxId, folder, unzipped(Readable.fromWeb(request.body as NodeReadableStream<Uint8Array>))) // Node's type of the same thing.
        })
        return json({})
      },
    },
    {
      method: 'POST',
      path: `${session}/fs/read`,
      async handle({ call, param, readJson }) {
        const path = inside(take(Place, await readJson()))
        const { base64, bytes, isTruncated } = await call(readFile, { sandboxId: param('session'), path, bytesMax: fileBytesMax })
        if (isTruncated)
          throw new AppError('too_large', `${path} has ${bytes} bytes; ${fileBytesMax} can be read so. Take its folder: GET /v1/sandboxes/{id}/tree.`)
        return new Response(Buffer.from(base64, 'base64'), { headers: { 'content-type': 'application/octet-stream' } })
      },
    },
    {
      method: 'POST',
      path: `${session}/stop`,
      handle: async ({ call, param }) => {
        const { session: stopped, sandbox } = whole(await call(releaseSandbox, { sandboxId: param('session') }))
        return json({ session: stopped, sandbox })
      },
    },
    {
      method: 'POST',
      path: `${session}/snapshot`,
      async handle(asked) {
        take(Snap, await asked.readJson())
        const sandboxId = asked.param('session')
        const snapshot = await asked.call(snapshotSandbox, { sandboxId })
        return json({ snapshot: toSnapshot(snapshot), session: toSession(await find(asked, sandboxId)) })
      },
    },
    {
      method: 'POST',
      path: `${session}/network-policy`,
      handle: async (asked) =>
        json({ session: toSession(await setPolicy(asked, asked.param('session'), (given) => parseInput(NetworkPolicy, withoutQuery(given)))) }),
    },
    {
      method: 'GET',
      path: '/v2/sandboxes/:sandbox',
      async handle(asked) {
        const found = await find(asked, asked.param('sandbox'))
        const { resume } = take(z.object({ resume: z.enum(['true', 'false']).optional() }), await asked.readJson())
        if (found.state !== 'released' || resume === 'false') return json({ ...whole(found), resumed: false })
        await asked.call(getSandboxStats, { sandboxId: found.id }) // Any use brings it back.
        return json({ ...whole(await find(asked, found.id)), resumed: true })
      },
    },
    {
      method: 'POST',
      path: '/v2/sandboxes/:sandbox/fork',
      async handle({ call, param, readJson }) {
        const { name, timeout } = take(Fork, await readJson())
        return json(whole(await call(forkSandbox, { sandboxId: param('sandbox'), ...(name !== undefined && { name }), ...ttlOf(timeout) })))
      },
    },
    {
      method: 'PATCH',
      path: '/v2/sandboxes/:sandbox',
      async handle(asked) {
        const sandbox = await setPolicy(asked, asked.param('sandbox'), (given) => take(Update, given).networkPolicy)
        return json({ sandbox: toSandbox(sandbox), routes: [] })
      },
    },
    {
      method: 'DELETE',
      path: '/v2/sandboxes/:sandbox',
      async handle(asked) {
        take(z.object({}), await asked.readJson())
        const { id } = await find(asked, asked.param('sandbox'))
        return json({ sandbox: toSandbox(await asked.call(stopSandbox, { sandboxId: id })) })
      },
    },
  ]
}

const withoutQuery = (given: Record<string, unknown>) => Object.fromEntries(Object.entries(given).filter(([name]) => !ignored.has(name)))

/** An archive that is none fails where it is read, as the caller's fault. */
function unzipped(body: Readable): Readable {
  const gunzip = createGunzip()
  const plain = async function* () {
    body.on('error', (error) => gunzip.destroy(error))
    body.pipe(gunzip)
    try {
      for await (const piece of gunzip as AsyncIterable<Buffer>) yield piece
    } catch (cause) {
      throw new AppError('invalid', 'The body is not a compressed tar archive, or broke off.', cause)
    } finally {
      body.destroy()
    }
  }
  return Readable.from(plain(), { objectMode: false })
}
