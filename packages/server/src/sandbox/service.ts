/** Sandboxes that callers make, name and keep, over the table that knows them and the driver that has them. */
import type {
  Egress,
  EgressConnection,
  ExecRequest,
  ExecResult,
  FilesRequest,
  FilesResult,
  OutputPiece,
  SandboxInfo,
  SandboxProcess,
  Snapshot,
  createSandbox,
} from '@longhaul/protocol'
import type { Duplex, Readable } from 'node:stream'
import type { z } from 'zod'
import type { Audience, Db } from '../db/index.ts'
import { AppError, type Log, StepFailure, newId, pageBy } from '../kernel/index.ts'
import type { Archives } from './archives.ts'
import { listConnections } from './connection-store.ts'
import type { TreeStream, WatchOptions } from './driver.ts'
import type { Sandboxes } from './sandboxes.ts'
import { defaultLimits } from './limits.ts'
import { type Live, type LiveSandboxes, noteDisk } from './live.ts'
import { insideWorkspace } from './paths.ts'
import type { SandboxQuotasOf } from './places.ts'
import type { Wish } from './policy.ts'
import { type Quota, type SandboxRow, findSandbox, insertSandbox, listSandboxes, recordEgress, recordStop, withoutValues } from './sandbox-store.ts'
import { type SnapshotRow, deleteSnapshot, findSnapshot, insertSnapshot, listSnapshots, toSnapshot } from './snapshot-store.ts'
import type { Templates } from './templates.ts'

export type SandboxCaller = Audience & { keyId: string }
type Page = { limit: number; cursor?: string | undefined }
type PageOf<Item> = { items: Item[]; next: string | null }
type CreateInput = z.output<(typeof createSandbox)['input']>
type Stats = {
  isRunning: boolean
  memoryBytes: number | null
  cpuMs: number | null
  processCount: number | null
  diskBytes: number
  fileCount: number
  egressBytes: number
  egressRequests: number
}

/** Each throws `not_found` for a sandbox that is another's, whoever that is. */
export type SandboxService = {
  create(caller: SandboxCaller, input: CreateInput): Promise<SandboxInfo>
  list(caller: SandboxCaller, input: Page & { state?: SandboxInfo['state'] | undefined }): Promise<PageOf<SandboxInfo>>
  get(caller: SandboxCaller, sandbox: string): Promise<SandboxInfo>
  exec(caller: SandboxCaller, sandbox: string, request: ExecRequest): Promise<ExecResult>
  start(caller: SandboxCaller, sandbox: string, request: ExecRequest, hasInput?: boolean): Promise<SandboxProcess>
  giveInput(caller: SandboxCaller, sandbox: string, processId: string, bytes: Uint8Array, isEnd: boolean): Promise<SandboxProcess>
  processes(caller: SandboxCaller, sandbox: string): Promise<SandboxProcess[]>
  readOutput(
    caller: SandboxCaller,
    sandbox: string,
    processId: string,
    after: number,
  ): Promise<{ process: SandboxProcess; items: OutputPiece[]; droppedCount: number }>
  /** Resolves when there is more after `after`, when the command has ended, or when `signal` aborts. */
  waitForOutput(caller: SandboxCaller, sandbox: string, processId: string, after: number, signal: AbortSignal): Promise<void>
  kill(caller: SandboxCaller, sandbox: string, processId: string): Promise<SandboxProcess>
  files(caller: SandboxCaller, sandbox: string, request: FilesRequest): Promise<FilesResult>
  packTree(caller: SandboxCaller, sandbox: string, path: string): Promise<TreeStream>
  /** With `/` as the path, the archive's own paths must lead into `/workspace`. */
  unpackTree(caller: SandboxCaller, sandbox: string, path: string, archive: Readable): Promise<void>
  snapshot(caller: SandboxCaller, sandbox: string, name: string | undefined): Promise<Snapshot>
  fork(caller: SandboxCaller, sandbox: string, input: { name?: string | undefined; ttlMs?: number | undefined }): Promise<SandboxInfo>
  setEgress(caller: SandboxCaller, sandbox: string, egress: Egress | null): Promise<SandboxInfo>
  connections(caller: SandboxCaller, sandbox: string, page: Page): Promise<PageOf<EgressConnection>>
  stats(caller: SandboxCaller, sandbox: string): Promise<Stats>
  /** Tells what changes in a folder until `signal` aborts. The sandbox is in use meanwhile. */
  watch(caller: SandboxCaller, sandbox: string, path: string, options: WatchOptions): Promise<void>
  /** A connection to a port inside, which keeps the sandbox in use while it is open. */
  connect(caller: Pick<SandboxCaller, 'tenantId'>, sandbox: string, port: number): Promise<Duplex>
  /** Ends its processes and puts its workspace into a snapshot, from which the next use brings it back. Throws `conflict` while somebody else uses it. */
  release(caller: SandboxCaller, sandbox: string): Promise<SandboxInfo>
  stop(caller: SandboxCaller, sandbox: string): Promise<SandboxInfo>
  listSnapshots(caller: SandboxCaller, page: Page): Promise<PageOf<Snapshot>>
  deleteSnapshot(caller: SandboxCaller, snapshot: string): Promise<Snapshot>
}

export type ServiceOptions = {
  db: Db
  log: Log
  sandboxes: Sandboxes
  live: LiveSandboxes
  archives: Archives
  templates: Pick<Templates, 'use'>
  quota: Quota
  quotasOf: SandboxQuotasOf
  ttlMs: number
}

export function sandboxService({ db, log, sandboxes, live, archives, templates, quota, quotasOf, ttlMs: ttlMsDefault }: ServiceOptions): SandboxService {
  const { outputBytesMax: _, ...storedDefaults } = defaultLimits

  async function load(caller: SandboxCaller, idOrName: string): Promise<SandboxRow> {
    const row = await findSandbox(db, caller, idOrName)
    if (!row) throw new AppError('not_found', `No sandbox ${idOrName}. longhaul sandboxes list shows those that there are.`)
    return row
  }

  async function loadSnapshot(caller: SandboxCaller, idOrName: string): Promise<SnapshotRow> {
    const row = await findSnapshot(db, caller, idOrName)
    if (!row) throw new AppError('not_found', `No snapshot ${idOrName}.`)
    return row
  }

  const use = async <Result>(caller: SandboxCaller, sandbox: string, work: (live: Live, row: SandboxRow) => Promise<Result>): Promise<Result> => {
    const row = await load(caller, sandbox)
    return live.use(row, (each) => work(each, row)).catch(rethrow)
  }

  /** A new sandbox whose workspace `fill` lays out. Nothing of it stays when that fails. */
  async function make(
    caller: SandboxCaller,
    about: {
      name: string | undefined
      limits: SandboxRow['limits']
      image: string | null
      env: Record<string, string>
      egress: Egress | null
      madeFrom: SandboxRow['madeFrom']
      ttlMs: number | undefined
      wish: Wish
    },
    fill: (live: Live) => Promise<void>,
  ): Promise<SandboxInfo> {
    const { name, limits, image, env, egress, madeFrom, ttlMs = ttlMsDefault, wish } = about
    const driver = await sandboxes.choose({ tenantId: caller.tenantId }, wish)
    const row = await insertSandbox(
      db,
      {
        tenantId: caller.tenantId,
        id: newId(),
        name: name ?? null,
        ownerId: caller.keyId,
        home: sandboxes.home,
        driver,
        limits,
        image,
        env,
        egress: withoutValues(egress),
        madeFrom,
        ttlMs,
      },
      { ...quota, atOnce: await quotasOf({ tenantId: caller.tenantId }) },
    )
    try {
      if (egress) await live.setRules(row, egress.rules)
      await live.use(row, fill)
      return toInfo(row)
    } catch (error) {
      await recordStop(db, row)
      await live.end(row.id)
      return rethrow(error)
    }
  }

  function madeOf({ driver }: SandboxRow): Pick<SandboxInfo, 'driver' | 'kernel' | 'notEnforced'> {
    const name = driver ?? sandboxes.capabilities.driver
    // One that is offered no more is opened in another at its next use.
    const { kernel } = sandboxes.offers.find((offer) => offer.driver === name) ?? sandboxes.capabilities
    return { driver: name, kernel, notEnforced: sandboxes.notEnforcedIn(name) }
  }

  function toInfo(row: SandboxRow): SandboxInfo {
    const { id, name, state, limits, image, env, madeFrom, diskBytes, ttlMs, egress } = row
    return {
      id,
      name,
      state,
      ...madeOf(row),
      image,
      limits,
      env,
      egress: egress && {
        ...egress,
        rules: egress.rules.map(({ credential, ...rule }, at) => ({
          ...rule,
          ...(credential && { credential: { header: credential.header, isKnown: live.knowsCredential(id, at) } }),
        })),
      },
      madeFrom,
      diskBytes,
      ttlMs,
      createdAt: row.createdAt.toISOString(),
      usedAt: row.usedAt.toISOString(),
      expiresAt: row.expiresAt.toISOString(),
    }
  }

  const noteDiskLater = (row: SandboxRow, each: Live) =>
    void noteDisk(db, row, each).catch((error: unknown) => log.debug('the disk use of a sandbox was not noted', { sandboxId: row.id, error }))
  const never = new AbortController().signal

  return {
    async create(caller, { name, ifExists, snapshot, template, limits, image, driver, env, egress = null, ttlMs }) {
      const known = name !== undefined && ifExists === 'use' ? await findSandbox(db, caller, name) : undefined
      if (known) return toInfo(known)
      const from = snapshot === undefined ? undefined : await loadSnapshot(caller, snapshot)
      const prepared = template === undefined ? undefined : await templates.use(caller, template)
      const given = Object.fromEntries(Object.entries(limits ?? {}).filter(([, value]) => value !== undefined))
      const about = {
        ...{ name, egress, ttlMs, wish: { wanted: driver } },
        limits: { ...storedDefaults, ...(from ?? prepared)?.limits, ...given },
        image: image ?? (from ?? prepared)?.image ?? null,
        env: { ...prepared?.env, ...env },
        madeFrom: from ? { snapshotId: from.id } : prepared ? { templateId: prepared.id } : {},
      }
      const archive = from?.id ?? prepared?.snapshotId
      return make(caller, about, async (each) => {
        if (archive !== undefined) await treesOf(each).unpack('/workspace', await archives.open(archive))
      })
    },
    async list(caller, { limit, cursor, state }) {
      const { items, next } = await pageBy(limit, cursor, (before, count) => listSandboxes(db, caller, { limit: count, before, state }))
      return { items: items.map(toInfo), next }
    },
    get: async (caller, sandbox) => toInfo(await load(caller, sandbox)),
    exec: (caller, sandbox, request) =>
      use(caller, sandbox, async (each, row) => {
        const result = await each.sandbox.exec(withEnv(request, row), { signal: never })
        noteDiskLater(row, each)
        return result
      }),
    start: (caller, sandbox, request, hasInput) => use(caller, sandbox, async ({ processes }, row) => processes.start(withEnv(request, row), hasInput)),
    giveInput: (caller, sandbox, processId, bytes, isEnd) => use(caller, sandbox, ({ processes }) => processes.give(processId, bytes, isEnd)),
    async processes(caller, sandbox) {
      return (await live.peek((await load(caller, sandbox)).id))?.processes.list() ?? []
    },
    readOutput: (caller, sandbox, processId, after) => use(caller, sandbox, async ({ processes }) => processes.read(processId, after)),
    waitForOutput: (caller, sandbox, processId, after, signal) => use(caller, sandbox, ({ processes }) => processes.wait(processId, after, signal)),
    kill: (caller, sandbox, processId) => use(caller, sandbox, ({ processes }) => processes.kill(processId)),
    files: (caller, sandbox, request) =>
      use(caller, sandbox, async (each, row) => {
        const result = await each.sandbox.files(request)
        if (request.action === 'write') noteDiskLater(row, each)
        return result
      }),
    packTree: (caller, sandbox, path) => use(caller, sandbox, (each) => treesOf(each).pack(insideWorkspace(path), false)),
    unpackTree: (caller, sandbox, path, archive) =>
      use(caller, sandbox, async (each, row) => {
        await treesOf(each).unpack(path === '/' ? '/' : insideWorkspace(path), archive)
        noteDiskLater(row, each)
      }),
    snapshot: (caller, sandbox, name) =>
      use(caller, sandbox, async (each, row) => {
        const id = newId()
        const { bytes, digest } = await archives.keep(id, await treesOf(each).pack('/workspace', true))
        const { tenantId, limits, image } = row
        try {
          const made = { tenantId, id, name: name ?? null, ownerId: caller.keyId, sandboxId: row.id, isInternal: false, limits, image, bytes, digest }
          return toSnapshot(await insertSnapshot(db, made, quota))
        } catch (error) {
          await archives.remove(id)
          throw error
        }
      }),
    fork: (caller, sandbox, { name, ttlMs }) =>
      use(caller, sandbox, async (source, row) => {
        const { limits, image, env, egress } = row
        const same = egress && { ...egress, rules: live.rulesOf(row) }
        const about = {
          name,
          limits,
          image,
          env,
          egress: same,
          madeFrom: { sandboxId: row.id },
          ttlMs: ttlMs ?? row.ttlMs,
          wish: { wanted: source.sandbox.driver },
        }
        return make(caller, about, (target) => treesOf(target).copyFrom(treesOf(source)))
      }),
    async setEgress(caller, sandbox, egress) {
      const row = await load(caller, sandbox)
      const updated = await recordEgress(db, row, withoutValues(egress))
      if (!updated) throw new AppError('conflict', `Sandbox ${row.id} was stopped.`)
      await live.setRules(updated, egress?.rules ?? [])
      return toInfo(updated)
    },
    async connections(caller, sandbox, { limit, cursor }) {
      const { tenantId, id } = await load(caller, sandbox)
      await (await live.peek(id))?.proxy?.flush() // What has just happened is in the answer.
      return pageBy(limit, cursor, (before, count) => listConnections(db, { tenantId, sandboxId: id, limit: count, before }))
    },
    stats: (caller, sandbox) =>
      use(caller, sandbox, async (each, row) => {
        const { memoryBytes = null, cpuMs = null, processCount = null, ...rest } = await each.sandbox.stats()
        const egress = each.proxy?.used() ?? { bytes: row.egressBytes, requests: row.egressRequests }
        return { ...rest, memoryBytes, cpuMs, processCount, egressBytes: egress.bytes, egressRequests: egress.requests }
      }),
    watch: (caller, sandbox, path, options) =>
      use(caller, sandbox, async (each) => {
        if (!each.sandbox.watch)
          throw new AppError('unavailable', 'Changes of files are told by the drivers bwrap, gvisor and docker: apt-get install bubblewrap.')
        await each.sandbox.watch(insideWorkspace(path), options)
      }),
    connect(caller, sandbox, port) {
      const opened = Promise.withResolvers<Duplex>()
      use({ tenantId: caller.tenantId, askerId: undefined, keyId: '' }, sandbox, async (each) => {
        if (!each.sandbox.connect)
          throw new AppError('unavailable', 'Ports inside can be reached with the drivers bwrap, gvisor and docker: apt-get install bubblewrap.')
        const duplex = await each.sandbox.connect(port)
        opened.resolve(duplex)
        await new Promise<void>((resolve) => duplex.once('close', resolve))
      }).catch(opened.reject)
      return opened.promise
    },
    async release(caller, sandbox) {
      const row = await load(caller, sandbox)
      if (row.state === 'released') return toInfo(row)
      if (row.state === 'stopped') throw new AppError('conflict', `Sandbox ${row.id} was stopped.`)
      if (row.home !== sandboxes.home)
        throw new AppError('unavailable', `Sandbox ${row.id} is on another server, which alone can put it away. Ask that server.`)
      const open = await live.peek(row.id)
      if (open) treesOf(open)
      await open?.processes.stop()
      if (!(await live.release(row).catch(rethrow)))
        throw new AppError('conflict', `Sandbox ${row.id} is in use: a command, a transfer or a connection goes on in it. Ask again when it is over.`)
      return toInfo(await load(caller, row.id))
    },
    async stop(caller, sandbox) {
      const row = await load(caller, sandbox)
      if (row.state === 'active' && row.home !== sandboxes.home)
        throw new AppError('unavailable', `Sandbox ${row.id} is on another server, which alone can end what runs in it. Ask that server.`)
      const stopped = await recordStop(db, row)
      if (row.home === sandboxes.home) await live.end(row.id)
      if (stopped && row.snapshotId !== null) {
        await deleteSnapshot(db, row.tenantId, row.snapshotId)
        await archives.remove(row.snapshotId)
      }
      return toInfo(stopped ?? row)
    },
    async listSnapshots(caller, { limit, cursor }) {
      const { items, next } = await pageBy(limit, cursor, (before, count) => listSnapshots(db, caller, { limit: count, before }))
      return { items: items.map(toSnapshot), next }
    },
    async deleteSnapshot(caller, snapshot) {
      const { tenantId, id } = await loadSnapshot(caller, snapshot)
      const deleted = await deleteSnapshot(db, tenantId, id)
      if (!deleted) throw new AppError('not_found', `No snapshot ${snapshot}.`)
      await archives.remove(id)
      return toSnapshot(deleted)
    },
  }
}

const withEnv = (request: ExecRequest, { env }: SandboxRow): ExecRequest => ({ ...request, env: { ...env, ...request.env } })

function treesOf({ sandbox }: Live): NonNullable<Live['sandbox']['trees']> {
  if (!sandbox.trees)
    throw new AppError(
      'unavailable',
      'The virtual shell has no archives, snapshots or forks. They need the driver bwrap, apt-get install bubblewrap, or gvisor or docker.',
    )
  return sandbox.trees
}

const codes = { invalid: 'invalid', not_permitted: 'invalid', not_found: 'not_found', over_limit: 'over_limit', cancelled: 'conflict' } as const

/** A sandbox's failures are data for runs; callers of the API get them as errors of its catalogue. */
function rethrow(error: unknown): never {
  if (!(error instanceof StepFailure)) throw error
  const { code = '', message } = error.failure
  throw new AppError(code in codes ? codes[code as keyof typeof codes] : 'unavailable', message, error) // A key of the table, as just checked.
}
