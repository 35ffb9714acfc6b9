/** The sandboxes of agents' runs: begun from what the agent declares, with the way out that it declares, whose every use is recorded as the run's. */
import type { Egress, EgressConnection } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { type Log, after, pageBy } from '../kernel/index.ts'
import { listConnections, usedBy } from './connection-store.ts'
import { type DataFolder, copyFolders } from './data-folders.ts'
import type { Sandbox, SandboxLimits } from './driver.ts'
import type { EgressProxy, ProxyOptions } from './egress/index.ts'
import { failure } from './failures.ts'
import type { Images, NamedImage } from './images/images.ts'
import type { Places } from './places.ts'
import type { SandboxOwner } from './policy.ts'
import type { Sandboxes } from './sandboxes.ts'
import type { Declared, Templates } from './templates.ts'

/** `copy`: besides being shown, what lies in it is laid out in the workspace when that is new. */
export type GivenFolder = DataFolder & { mode: 'read' | 'copy' }

export type RunUse = {
  /** Of the sandbox: runs of one session share one. */
  id: string
  runId: string
  owner: SandboxOwner
  /** Folder whose content a new workspace starts with, where no template is declared: a template has begun with it already. */
  seed: string | undefined
  limits: Partial<SandboxLimits> | undefined
  /** Its root, in place of the operator's or of this host's programs. */
  image?: NamedImage | undefined
  template: Declared | undefined
  /** Of the server's machine, as its asker may see them. Other folders need another `id`: what lies in a workspace may come from them. */
  folders?: readonly GivenFolder[] | undefined
  /** With the values of credentials. Undefined: nothing leaves. */
  egress: Egress | undefined
  signal: AbortSignal
}

export type RunSandboxes = {
  /** `hosts` are those that the run has reached so far: what lies in its sandbox may be their words. */
  use<Result>(about: RunUse, work: (sandbox: Sandbox) => Promise<Result>): Promise<{ result: Result; hosts: string[] }>
  /** Every attempt of a run to reach something, newest first. */
  connections(
    about: { tenantId: string; runId: string },
    page: { limit: number; cursor?: string | undefined },
  ): Promise<{ items: EgressConnection[]; next: string | null }>
  stop(): Promise<void>
}

export type RunSandboxesOptions = {
  db: Db
  log: Log
  sandboxes: Sandboxes
  images: Pick<Images, 'hold'>
  templates: Pick<Templates, 'useDeclared' | 'unpackTo'>
  openProxy(options: ProxyOptions): Promise<EgressProxy>
  places: Pick<Places, 'hold'>
}

/** A way out that nobody uses is closed after that; the next command opens it anew. */
const idleMs = 60_000

type Way = { runId: string; rules: string; proxy: EgressProxy; hosts: Set<string>; users: number; cancelIdle(): void; close(): Promise<void> }

export function openRunSandboxes({ db, log, sandboxes, images, templates, openProxy, places }: RunSandboxesOptions): RunSandboxes {
  const ways = new Map<string, Way>()
  /** Openings and closings of one sandbox's way come one after the other. */
  const turns = new Map<string, Promise<unknown>>()

  function inTurn<Result>(id: string, work: () => Promise<Result>): Promise<Result> {
    const mine = (turns.get(id) ?? Promise.resolve()).then(work, work)
    const settled = mine.catch(() => {}) // Its caller hears of it.
    turns.set(id, settled)
    void settled.then(() => turns.get(id) === settled && turns.delete(id))
    return mine
  }

  function open({ id, owner, seed, limits, image: named, template, folders = [], signal }: RunUse): Promise<Sandbox> {
    const image = named && (() => images.hold(owner.tenantId, named))
    const mounts = folders.map(({ name, path }) => ({ name, path }))
    const copied = folders.filter(({ mode }) => mode === 'copy').map(({ name }) => name)
    if (!template && copied.length === 0) return sandboxes.open(id, { owner, seed, limits, image, mounts })
    const fill = async () => {
      const prepared = template && (await templates.useDeclared(template, signal))
      return async (sandbox: Sandbox) => {
        if (prepared) await templates.unpackTo(prepared, sandbox)
        await copyFolders(copied, sandbox, signal)
      }
    }
    return sandboxes.open(id, { owner, ...(!template && { seed }), limits, image, fill, mounts })
  }

  /** The run's own: what the run before it in the same sandbox could reach is closed by then. */
  async function enter({ id, runId, owner: { tenantId }, egress }: RunUse & { egress: Egress }, sandbox: Sandbox): Promise<Way> {
    return inTurn(id, async () => {
      const rules = JSON.stringify(egress)
      const known = ways.get(id)
      if (known?.runId === runId && known.rules === rules) {
        known.cancelIdle()
        known.users++
        return known
      }
      await known?.close()
      const door = sandbox.egress
      if (!door)
        throw failure(
          'sandbox_unavailable',
          'This agent’s sandbox declares ways out, which this driver does not have. They need the driver bwrap: apt-get install bubblewrap.',
        )
      const used = await usedBy(db, { tenantId, sandboxId: runId })
      const hosts = new Set(used.hosts)
      const { bytesMax, requestsMax } = egress
      const proxy = await openProxy({
        tenantId,
        sandboxId: runId,
        folder: door.folder,
        rules: egress.rules,
        limits: { bytesMax, requestsMax },
        used,
        onReached: (host) => hosts.add(host),
      })
      door.open(proxy.env)
      const way: Way = {
        ...{ runId, rules, proxy, hosts, users: 1, cancelIdle() {} },
        async close() {
          way.cancelIdle()
          if (ways.get(id) === way) ways.delete(id)
          door.close()
          await proxy.stop()
        },
      }
      ways.set(id, way)
      return way
    })
  }

  function leave(id: string, way: Way): void {
    way.users--
    if (way.users > 0) return
    way.cancelIdle = after(
      idleMs,
      () =>
        void inTurn(id, async () => {
          if (way.users === 0) await way.close()
        }).catch((error: unknown) => log.warn('a way out of a run was not closed in order', { error, runId: way.runId })),
      false,
    )
  }

  const useHeld: RunSandboxes['use'] = async (about, work) => {
    const sandbox = await open(about)
    const { egress } = about
    if (!egress) {
      // A run before this one in the same sandbox may have had one: with other rules, of another version, or none.
      await inTurn(about.id, async () => ways.get(about.id)?.close())
      return { result: await work(sandbox), hosts: [] }
    }
    const way = await enter({ ...about, egress }, sandbox)
    try {
      const result = await work(sandbox)
      await way.proxy.flush() // What is told of the step is written down before the step is.
      return { result, hosts: [...way.hosts] }
    } finally {
      leave(about.id, way)
    }
  }

  return {
    async use(about, work) {
      const giveBack = await places.hold(about.id, about.owner)
      try {
        return await useHeld(about, work)
      } finally {
        giveBack()
      }
    },
    connections: ({ tenantId, runId }, { limit, cursor }) =>
      pageBy(limit, cursor, (before, count) => listConnections(db, { tenantId, sandboxId: runId, limit: count, before })),
    async stop() {
      await Promise.all([...ways.values()].map(({ close }) => close()))
    },
  }
}
