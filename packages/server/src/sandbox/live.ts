/** The sandboxes of the table that are in use here: brought back when they were released, given their way out, kept from ending while somebody works in them. */
import type { EgressRule } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { AppError, type Log, monotonicMs, newId } from '../kernel/index.ts'
import type { Archives } from './archives.ts'
import type { Sandbox } from './driver.ts'
import type { Images } from './images/images.ts'
import type { EgressProxy, ProxyOptions } from './egress/index.ts'
import type { Sandboxes } from './sandboxes.ts'
import { createProcessTable, type ProcessTable } from './process-table.ts'
import { type SandboxRow, findSandbox, recordDisk, recordDriver, recordRelease, recordReturn, recordUse } from './sandbox-store.ts'
import { deleteSnapshot, insertSnapshot } from './snapshot-store.ts'

/** One that is open here. */
export type Live = { sandbox: Sandbox; processes: ProcessTable; proxy: EgressProxy | undefined }

export type LiveSandboxes = {
  /** Does `work` in the sandbox, which is open meanwhile and noted as used. Throws `unavailable` when its workspace is on another server. */
  use<Result>(row: SandboxRow, work: (live: Live) => Promise<Result>): Promise<Result>
  /** The same when it is open already; undefined otherwise. Not noted as a use. */
  peek(id: string): Promise<Live | undefined>
  /** What may leave from now on, with the values of credentials, which are kept here and nowhere else. */
  setRules(row: SandboxRow, rules: readonly EgressRule[]): Promise<void>
  /** What may leave, with the values of credentials; those that a restart forgot are empty. */
  rulesOf(row: SandboxRow): EgressRule[]
  /** Whether the values of this sandbox's credentials are known here. */
  knowsCredential(id: string, at: number): boolean
  /** Puts the workspace into a snapshot and frees the disk, unless it is in use. True when it did. */
  release(row: SandboxRow): Promise<boolean>
  /** Ends it and deletes its workspace. */
  end(id: string): Promise<void>
  /** Ends every way out and every process. Workspaces stay. */
  stop(): Promise<void>
}

export type LiveOptions = {
  db: Db
  log: Log
  sandboxes: Sandboxes
  images: Pick<Images, 'hold'>
  archives: Archives
  openProxy(options: ProxyOptions): Promise<EgressProxy>
}

/** A use is written down no more often. */
const noteEveryMs = 10_000

function stale(id: string, error: unknown): unknown {
  if (!(error instanceof AppError) || error.code !== 'not_offered') return error
  return new AppError('not_offered', `${error.message} Release it, longhaul sandboxes release ${id}, and its next use opens it where it may run.`, error)
}

type Entry = { opening: Promise<Live>; users: number; notedMs: number }

export function openLive({ db, log, sandboxes, images, archives, openProxy }: LiveOptions): LiveSandboxes {
  const open = new Map<string, Entry>()
  const credentials = new Map<string, readonly (string | undefined)[]>()
  /** Openings, releases and ends of one sandbox come one after the other. */
  const turns = new Map<string, Promise<unknown>>()

  /** How the sandbox of a row is opened: where it was before, if it still may, and with its root. */
  const ownOf = ({ tenantId, limits, driver, image }: SandboxRow) => ({
    ...{ owner: { tenantId }, limits, preferred: driver ?? undefined },
    image: image === null ? undefined : () => images.hold(tenantId, { image }),
  })

  function inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    const mine = (turns.get(id) ?? Promise.resolve()).then(work, work)
    const settled = mine.catch(() => {}) // Its caller hears of it.
    turns.set(id, settled)
    void settled.then(() => turns.get(id) === settled && turns.delete(id))
    return mine
  }

  const rulesOf = (row: SandboxRow): EgressRule[] =>
    (row.egress?.rules ?? []).map(({ credential, ...rule }, at) => ({
      ...rule,
      ...(credential && { credential: { header: credential.header, value: credentials.get(row.id)?.[at] ?? '' } }),
    }))

  async function openOne({ id, tenantId }: SandboxRow): Promise<Live> {
    // Read again, now that it is our turn: it may have been put away or stopped meanwhile.
    const row = await findSandbox(db, { tenantId, askerId: undefined }, id)
    if (!row || row.state === 'stopped') throw new AppError('conflict', `Sandbox ${id} was stopped.`)
    const here = row.state === 'released' ? await bringBack(row) : row
    if (here.home !== sandboxes.home)
      throw new AppError('unavailable', `The workspace of sandbox ${row.id} is on another server's disk. Ask that server, or wait until it is released.`)
    const sandbox = await sandboxes.open(here.id, ownOf(here))
    if (sandbox.driver !== here.driver) await recordDriver(db, here, sandbox.driver)
    const live: Live = { sandbox, processes: createProcessTable(here.id, sandbox.exec), proxy: undefined }
    await applyEgress(live, here)
    return live
  }

  async function applyEgress(live: Live, row: SandboxRow): Promise<void> {
    const { egress } = live.sandbox
    if (row.egress && !egress)
      throw new AppError(
        'unavailable',
        'Nothing can be let out of sandboxes of this driver. Egress needs the driver bwrap, apt-get install bubblewrap, or gvisor or docker.',
      )
    const rules = rulesOf(row)
    if (!row.egress || !egress) {
      await live.proxy?.stop()
      live.proxy = undefined
      egress?.close()
      return
    }
    const { bytesMax, requestsMax } = row.egress
    if (live.proxy) live.proxy.setRules(rules, { bytesMax, requestsMax })
    else {
      live.proxy = await openProxy({
        tenantId: row.tenantId,
        sandboxId: row.id,
        folder: egress.folder,
        rules,
        limits: { bytesMax, requestsMax },
        used: { bytes: row.egressBytes, requests: row.egressRequests },
      })
    }
    egress.open(live.proxy.env)
  }

  async function bringBack(row: SandboxRow): Promise<SandboxRow> {
    const { snapshotId } = row
    if (snapshotId === null) throw new Error(`Sandbox ${row.id} was released without a snapshot.`)
    await sandboxes.remove(row.id) // What an attempt left that did not come to its end.
    const sandbox = await sandboxes.open(row.id, ownOf(row))
    try {
      await sandbox.trees?.unpack('/workspace', await archives.open(snapshotId))
      const returned = await recordReturn(db, row, sandboxes.home)
      if (!returned) throw new AppError('conflict', `Sandbox ${row.id} was taken up or stopped by another request. Ask again.`)
      await deleteSnapshot(db, row.tenantId, snapshotId)
      await archives.remove(snapshotId)
      return returned
    } catch (error) {
      await sandbox.destroy()
      throw error
    }
  }

  function enter(row: SandboxRow): Entry {
    const known = open.get(row.id)
    if (known) return known
    const entry: Entry = { opening: inTurn(row.id, () => openOne(row)), users: 0, notedMs: monotonicMs() }
    open.set(row.id, entry)
    entry.opening.catch(() => open.get(row.id) === entry && open.delete(row.id)) // The caller hears of it; the next one tries again.
    if (row.state === 'active') void recordUse(db, row).catch((error: unknown) => log.warn('use of a sandbox not noted', { sandboxId: row.id, error }))
    return entry
  }

  async function noteUse(row: SandboxRow, entry: Entry): Promise<void> {
    if (monotonicMs() - entry.notedMs < noteEveryMs) return
    entry.notedMs = monotonicMs()
    await recordUse(db, row).catch((error: unknown) => log.warn('use of a sandbox not noted', { sandboxId: row.id, error }))
  }

  async function shut(live: Live): Promise<void> {
    await live.processes.stop()
    await live.proxy?.stop()
    live.sandbox.egress?.close()
  }

  /** Whether the workspace is in a snapshot now. The archive is on disk before the row says so, and the folder goes after that. */
  async function putAway(row: SandboxRow, sandbox: Sandbox): Promise<boolean> {
    if (!sandbox.trees) return false
    const id = newId()
    const { tenantId, ownerId, limits, image } = row
    const { bytes, digest } = await archives.keep(id, await sandbox.trees.pack('/workspace', true))
    await insertSnapshot(db, { tenantId, id, name: null, ownerId, sandboxId: row.id, isInternal: true, limits, image, bytes, digest }, undefined)
    if (!(await recordRelease(db, row, id))) {
      await deleteSnapshot(db, tenantId, id) // It was stopped meanwhile.
      await archives.remove(id)
      return false
    }
    await sandboxes.remove(row.id)
    return true
  }

  return {
    async use(row, work) {
      if (row.state === 'stopped') throw new AppError('conflict', `Sandbox ${row.id} was stopped.`)
      const entry = enter(row)
      entry.users++
      try {
        const live = await entry.opening
        // Whatever the operator has said meanwhile holds from now on, also for one that is open.
        await sandboxes.choose({ tenantId: row.tenantId }, { wanted: live.sandbox.driver }).catch((error: unknown) => {
          throw stale(row.id, error)
        })
        const result = await work(live)
        await noteUse(row, entry)
        return result
      } finally {
        entry.users--
      }
    },
    peek: async (id) => open.get(id)?.opening.catch(() => undefined),
    async setRules(row, rules) {
      credentials.set(
        row.id,
        rules.map(({ credential }) => credential?.value || undefined),
      )
      const live = await open.get(row.id)?.opening.catch(() => undefined) // It will be told when it opens.
      if (live) await inTurn(row.id, () => applyEgress(live, row))
    },
    rulesOf,
    knowsCredential: (id, at) => credentials.get(id)?.[at] !== undefined,
    release: (row) =>
      inTurn(row.id, async () => {
        const entry = open.get(row.id)
        // Looked at before anything is waited for: an opening that nobody waits for any more is over, others may be queued behind us.
        if (entry && entry.users > 0) return false
        const live = await entry?.opening.catch(() => undefined) // It never opened: its workspace can still be put away.
        if (live && (!live.sandbox.trees || live.processes.runningCount > 0 || (entry?.users ?? 0) > 0)) return false
        open.delete(row.id) // Whoever comes from now on waits for our turn to end, and opens it anew.
        // Nothing runs in it but what packs: its image, which may be out of reach, is not needed for that.
        const sandbox = live?.sandbox ?? (await sandboxes.open(row.id, { ...ownOf(row), image: undefined }))
        let isAway = false
        try {
          isAway = await putAway(row, sandbox)
          return isAway
        } finally {
          if (live) await shut(live)
          else if (!isAway) await sandbox.stop()
        }
      }),
    end(id) {
      const entry = open.get(id)
      open.delete(id) // Now: whoever opens it from now on is queued behind us, and finds it stopped.
      return inTurn(id, async () => {
        const live = await entry?.opening.catch(() => undefined) // It never opened.
        if (live) await shut(live)
        credentials.delete(id)
        await sandboxes.remove(id)
      })
    },
    async stop() {
      const all = [...open.values()]
      open.clear()
      await Promise.all(all.map(async ({ opening }) => opening.then(shut, () => {}))) // Those that never opened have told their callers.
    },
  }
}

/** Writes down how much a workspace holds, for the tenant's quota and for whoever looks. */
export async function noteDisk(db: Db, row: SandboxRow, { sandbox }: Live): Promise<void> {
  await recordDisk(db, row, (await sandbox.stats()).diskBytes)
}
