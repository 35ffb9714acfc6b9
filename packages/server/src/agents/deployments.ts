/**
 * Versions and deployments: code comes in, is loaded once to see that it can be, and is given to new runs: all of them, or a
 * share. A deployment with a guard is taken back by itself when its runs fare worse than those before. Runs that have begun
 * stay on their version whatever is decided here.
 */
import type {
  AgentManifest,
  Asker,
  CanarySubjects,
  CodeChange,
  CodeFile,
  DeployPlan,
  Deployment,
  Evaluation,
  Permission,
  Preview,
  RollbackGuard,
  Source,
  Version,
  VersionRecord,
} from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { AppError, type Log, type Service, loop, newId, pageBy, sleep, wallClock } from '../kernel/index.ts'
import type { Agents, Place } from './agents.ts'
import { codeChanges } from './code-changes.ts'
import { type Code, codeOf, unpack } from './code.ts'
import { applyDeclared, whyNotDeclare, whyNotDeclareAny } from './declared.ts'
import {
  currentDeployments,
  deciding,
  endDeployment,
  insertDeployment,
  listDeployments,
  listGuarded,
  listWanted,
  planFor,
  predecessorOf,
  recordOf,
} from './deployment-store.ts'
import { type NewEvaluation, insertEvaluation, listEvaluations } from './evaluation-store.ts'
import { deleteExpiredPreviews, deletePreview, listPreviews, putPreview } from './preview-store.ts'
import { whyRollBack } from './rollback-guard.ts'
import { findBundle, findLive, findManifest, listRunLimits, listVersions } from './version-store.ts'

/** Of how long the record of a version tells. */
const recordMs = 7 * 86_400_000

export type DeploymentsOptions = {
  db: Db
  log: Log
  /** Makes what live versions declare of their runs hold at every node. */
  setAgentLimits(declared: Awaited<ReturnType<typeof listRunLimits>>): Promise<string[]>
  agents: Pick<Agents, 'keep' | 'place' | 'open' | 'assertImageRoom' | 'whenLoaded'>
  workers: {
    /** Starts a worker of the version, which says how loading went. */
    warm(place: Place): void
    /** Has a worker wait for the agent's next version. */
    expect(place: Place): void
    /** Ends what nobody wants any more. */
    retire(isWanted: (place: { tenantId: string; agent: string; version: string }) => boolean): Promise<void>
  }
  /** How often guarded deployments are looked at. */
  watchEveryMs?: number
  loadMsMax?: number
}

export type DeployRequest = {
  agent: string
  version: string
  share: number
  canarySubjects?: CanarySubjects | undefined
  guard?: RollbackGuard | null | undefined
  reason?: string | undefined
}

/** Who deploys: what a version declares has this access, and takes these permissions. Absent: nothing that it declares holds. */
export type Deployer = { asker: Asker; permissions: readonly Permission[] }

type Page = { limit: number; cursor: string | undefined }
export type PreviewRequest = { agent: string; name: string; version: string; source: Source; keepForMs: number }

export type Deployments = Service & {
  /** `expectsMore`: other versions follow soon, and are to be loaded quickly. */
  createVersion(tenantId: string, agent: string, files: CodeFile[], expectsMore?: boolean): Promise<Version>
  listVersions(tenantId: string, agent: string, limit: number): Promise<Version[]>
  version(tenantId: string, agent: string, version: string): Promise<Version & { manifest: AgentManifest | null; record: VersionRecord }>
  compare(tenantId: string, agent: string, before: string, after: string): Promise<{ changes: CodeChange[]; sameCount: number }>
  deploy(tenantId: string, madeBy: string, request: DeployRequest, by?: Deployer): Promise<Deployment>
  rollBack(tenantId: string, madeBy: string, agent: string, reason?: string): Promise<Deployment>
  list(tenantId: string, agent: string, page: Page): Promise<{ items: Deployment[]; next: string | null }>
  plan(tenantId: string, agent: string, version: string): Promise<DeployPlan>
  setPreview(tenantId: string, madeBy: string, preview: PreviewRequest): Promise<Preview>
  listPreviews(tenantId: string, agent: string, page: Page): Promise<{ items: Preview[]; next: string | null }>
  deletePreview(tenantId: string, agent: string, name: string): Promise<Preview>
  recordEvaluation(tenantId: string, madeBy: string, found: Omit<NewEvaluation, 'id' | 'tenantId' | 'madeBy'>): Promise<Evaluation>
  listEvaluations(
    tenantId: string,
    agent: string,
    page: Page & { version?: string | undefined; suite?: string | undefined },
  ): Promise<{ items: Evaluation[]; next: string | null }>
  /** Looks at all guarded deployments now. The loop does it every few seconds. */
  watch(): Promise<void>
}

export function openDeployments({ db, log, setAgentLimits, agents, workers, watchEveryMs = 2_000, loadMsMax = 30_000 }: DeploymentsOptions): Deployments {
  async function loadVersion(tenantId: string, agent: string, version: string): Promise<Version> {
    const [found] = await listVersions(db.forTenant(tenantId), tenantId, agent, { limit: 1, version })
    if (!found) throw new AppError('not_found', `${agent} has no version ${version}. \`longhaul agents versions ${agent}\` lists them.`)
    return found
  }

  async function loadCode(tenantId: string, agent: string, version: string): Promise<Code> {
    await loadVersion(tenantId, agent, version)
    const packed = await findBundle(db.forTenant(tenantId), tenantId, agent, version)
    if (!packed) throw new AppError('not_found', `The code of version ${version} of ${agent} is not kept any more.`)
    return unpack(packed)
  }

  const watching = loop({
    everyMs: watchEveryMs,
    onError: (error) => log.warn('looking at guarded deployments failed; it is tried again', { error }),
    async work() {
      const changed = await setAgentLimits(await listRunLimits(db))
      if (changed.length > 0) log.info('the limits that agents declare have changed', { agents: changed })
      await applyDeclared(db, log)
      await watch()
      const wanted = new Set(await listWanted(db))
      await deleteExpiredPreviews(db)
      await workers.retire(({ tenantId, agent, version }) => wanted.has(`${tenantId}/${agent}/${version}`))
    },
  })

  async function watch(): Promise<void> {
    for (const deployment of await listGuarded(db)) {
      const { tenantId, agent, version, guard } = deployment
      const otherVersion = deployment.state === 'canary' ? (await findLive(db.forTenant(tenantId), tenantId, agent))?.version : deployment.replaced
      if (!otherVersion) continue // There is nothing to go back to.
      const sinceMs = Date.parse(deployment.createdAt)
      const own = await recordOf(db.forTenant(tenantId), tenantId, agent, version, sinceMs)
      const other = await recordOf(db.forTenant(tenantId), tenantId, agent, otherVersion, sinceMs - guard.windowMs)
      const rule = whyRollBack(guard, own, other)
      if (rule === undefined) continue
      const isDone = await deciding(db.forTenant(tenantId), tenantId, agent, async (tx) => {
        const ended = await endDeployment(tx, deployment.id, { reason: `Taken back by its guard: ${rule}.`, evidence: { rule, own, other } })
        if (!ended) return false // Somebody was faster: a person, or another server.
        if (deployment.state === 'live') {
          const reason = `${version} was taken back by its guard.`
          await insertDeployment(tx, { id: newId(), tenantId, agent, version: otherVersion, share: 100, guard: null, reason, madeBy: 'rollback guard' })
        }
        return true
      })
      if (isDone) log.warn('a deployment was taken back by its guard', { tenantId, agent, version, rule })
    }
  }

  return {
    async createVersion(tenantId, agent, files, expectsMore = false) {
      const place = await agents.keep(tenantId, agent, codeOf(files))
      const before = await loadVersion(tenantId, agent, place.version)
      if (before.status === 'ready') {
        await agents.assertImageRoom(place)
        if (expectsMore) workers.expect(place)
        return before
      }
      const enough = new AbortController()
      const loaded = agents.whenLoaded(place)
      workers.warm(place)
      await Promise.race([loaded, sleep(loadMsMax, enough.signal)]) // If it takes longer it is still `starting`, and says so.
      enough.abort()
      if (expectsMore) workers.expect(place)
      await agents.assertImageRoom(place)
      return loadVersion(tenantId, agent, place.version)
    },
    listVersions: (tenantId, agent, limit) => listVersions(db.forTenant(tenantId), tenantId, agent, { limit }),
    async version(tenantId, agent, version) {
      const found = await loadVersion(tenantId, agent, version)
      const scope = db.forTenant(tenantId)
      const [manifest, record] = await Promise.all([
        findManifest(scope, tenantId, agent, version),
        recordOf(scope, tenantId, agent, version, wallClock().getTime() - recordMs),
      ])
      return { ...found, manifest: manifest ?? null, record }
    },
    async compare(tenantId, agent, before, after) {
      const old = await loadCode(tenantId, agent, before)
      return codeChanges(old, await loadCode(tenantId, agent, after))
    },
    async deploy(tenantId, madeBy, { agent, version, share, canarySubjects: given, guard = null, reason = null }, by) {
      const canarySubjects = subjectsOf(share, given)
      const { status, problem } = await loadVersion(tenantId, agent, version)
      if (status === 'broken') throw new AppError('conflict', `Version ${version} of ${agent} does not load, so no run gets it: ${problem?.slice(0, 2_000)}`)
      const manifest = by && (await findManifest(db.forTenant(tenantId), tenantId, agent, version))
      const why = manifest && whyNotDeclare(manifest, by.permissions)
      if (why !== undefined) throw new AppError('forbidden', why)
      const place = await agents.open(tenantId, agent, version)
      if (place) await agents.assertImageRoom(place)
      // What it declares is not known before it is loaded.
      const mayDeclare = by && (manifest !== undefined || whyNotDeclareAny(by.permissions) === undefined)
      const deployment = await deciding(db.forTenant(tenantId), tenantId, agent, async (tx) => {
        const { live, canary } = await currentDeployments(tx, tenantId, agent)
        if (share < 100 && !live) throw new AppError('conflict', `${agent} has no live version that a canary could accompany. Deploy it to all.`)
        if (share < 100 && live?.version === version) throw new AppError('conflict', `Version ${version} is live already; it cannot be a canary beside itself.`)
        const alike = (one: unknown, other: unknown) => JSON.stringify(one ?? null) === JSON.stringify(other ?? null)
        const isSame = (one: Deployment | undefined) =>
          one?.version === version && one.share === share && alike(one.guard, guard) && alike(one.canarySubjects, canarySubjects)
        if (share === 100 ? isSame(live) && !canary : isSame(canary)) return (share === 100 ? live : canary)! // `isSame` is true of nothing but a deployment.
        return insertDeployment(tx, {
          id: newId(),
          tenantId,
          agent,
          version,
          share,
          canarySubjects,
          guard,
          reason,
          madeBy,
          asker: mayDeclare ? by.asker : undefined,
        })
      })
      watching.wake()
      workers.warm(agents.place(tenantId, agent, version))
      return deployment
    },
    async rollBack(tenantId, madeBy, agent, reason) {
      const deployment = await deciding(db.forTenant(tenantId), tenantId, agent, async (tx) => {
        const { live, canary } = await currentDeployments(tx, tenantId, agent)
        if (canary) return (await endDeployment(tx, canary.id, { reason: reason ?? null, evidence: null })) ?? canary
        if (!live) throw new AppError('not_found', `No agent ${agent}.`)
        const version = live.replaced ?? (await predecessorOf(tx, tenantId, agent, live.version))
        if (!version) throw new AppError('conflict', `There was no version of ${agent} before ${live.version}.`)
        await endDeployment(tx, live.id, { reason: reason ?? null, evidence: null })
        return insertDeployment(tx, {
          id: newId(),
          tenantId,
          agent,
          version,
          share: 100,
          guard: null,
          reason: reason ?? `${live.version} was rolled back.`,
          madeBy,
        })
      })
      watching.wake()
      if (deployment.state === 'live') workers.warm(agents.place(tenantId, agent, deployment.version))
      return deployment
    },
    list: (tenantId, agent, { limit, cursor }) =>
      pageBy(limit, cursor, (before, count) => listDeployments(db.forTenant(tenantId), tenantId, agent, { limit: count, before })),
    async plan(tenantId, agent, version) {
      await loadVersion(tenantId, agent, version)
      return { agent, version, ...(await planFor(db.forTenant(tenantId), tenantId, agent, version)) }
    },
    async setPreview(tenantId, madeBy, { agent, name, version, source, keepForMs }) {
      const { status, problem } = await loadVersion(tenantId, agent, version)
      if (status === 'broken') throw new AppError('conflict', `Version ${version} of ${agent} does not load, so it is no preview: ${problem?.slice(0, 2_000)}`)
      return putPreview(db.forTenant(tenantId), { tenantId, agent, name, version, source, madeBy, keepForMs })
    },
    async listPreviews(tenantId, agent, { limit, cursor }) {
      const items = await listPreviews(db.forTenant(tenantId), tenantId, agent, { limit: limit + 1, after: cursor })
      return { items: items.slice(0, limit), next: items.length > limit ? (items[limit - 1]?.name ?? null) : null }
    },
    async deletePreview(tenantId, agent, name) {
      const deleted = await deletePreview(db.forTenant(tenantId), tenantId, agent, name)
      if (!deleted) throw new AppError('not_found', `${agent} has no preview ${name}.`)
      return deleted
    },
    async recordEvaluation(tenantId, madeBy, found) {
      await loadVersion(tenantId, found.agent, found.version)
      const evaluation = await insertEvaluation(db.forTenant(tenantId), { ...found, id: newId(), tenantId, madeBy })
      watching.wake() // A guard may look at scores.
      return evaluation
    },
    listEvaluations: (tenantId, agent, { limit, cursor, ...filter }) =>
      pageBy(limit, cursor, (before, count) => listEvaluations(db.forTenant(tenantId), tenantId, agent, { ...filter, limit: count, before })),
    watch,
    start: watching.start,
    stop: watching.stop,
  }
}

/** Whom a canary names; undefined when nobody. Throws `invalid` for what decides nothing. */
function subjectsOf(share: number, given: CanarySubjects | undefined): CanarySubjects | undefined {
  const both = given?.always.find((subject) => given.never.includes(subject))
  if (both !== undefined) throw new AppError('invalid', `canarySubjects: ${both} is named in always and in never. Name it in one of them.`)
  const names = given && given.always.length + given.never.length > 0 ? given : undefined
  if (share === 100 && names) throw new AppError('invalid', 'canarySubjects: a version that all new runs get has no subjects. Give it a share below 100.')
  if (share === 0 && !names?.always.length) throw new AppError('invalid', 'share: without a share a canary names those who get it in canarySubjects.always.')
  return names
}
