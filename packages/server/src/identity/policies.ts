/** A tenant's policies: written in versions, decided at every operation and every tool call. */
import type { ApprovalRule, Policy } from '@longhaul/protocol'
import { type Db, noteAudit } from '../db/index.ts'
import { AppError, type Log, monotonicMs } from '../kernel/index.ts'
import { type Decision, type PolicyRequest, type PolicyText, decide, decideWith, needsPermit, preparse, whyNotPolicy } from './cedar.ts'
import { type Caller, whoIs } from './keys.ts'
import { deactivate, insertVersion, listActive, listVersions } from './policy-store.ts'

/** `rule`: who may allow it, where that is not one of those who may decide. */
export type Refusal = { why: string; mayBeApproved: boolean; rule?: ApprovalRule }
/** `isAsked`: there are policies. `policies`: those that forbid it, or permit what needs it. */
export type Judgement = { refusal?: Refusal; isAsked: boolean; policies: string[] }

export type Policies = {
  /** Undefined when nothing forbids it; else why not, by the policy's name. What cannot be decided is forbidden. */
  whyNot(tenantId: string, request: PolicyRequest): Promise<string | undefined>
  /** As `whyNot`, with the policies behind it, and whether a person may allow it nevertheless. */
  judge(tenantId: string, request: PolicyRequest): Promise<Judgement>
  test(tenantId: string, request: PolicyRequest, draft?: PolicyText): Promise<Decision & { ms: number }>
  put(caller: Caller, policy: Pick<Policy, 'name' | 'text' | 'description'>): Promise<Policy>
  list(tenantId: string): Promise<Policy[]>
  versions(tenantId: string, name: string): Promise<Policy[]>
  delete(caller: Caller, name: string): Promise<Policy>
}

/** How long another node's change may go unnoticed. */
const cacheMs = 1_000
const policiesMax = 200
const versionsMax = 200
const cachedMax = 10_000

type Known = { fingerprint: string; isEmpty: boolean; until: number }

export function openPolicies({ db, log }: { db: Db; log: Log }): Policies {
  const known = new Map<string, Known>()
  const loading = new Map<string, Promise<Known>>()
  let changes = 0

  async function load(tenantId: string): Promise<Known> {
    const changesBefore = changes
    const from = monotonicMs()
    const policies = await listActive(db.forTenant(tenantId), policiesMax)
    const fingerprint = policies.map(({ name, version }) => `${name}@${version}`).join(' ')
    if (policies.length > 0 && known.get(tenantId)?.fingerprint !== fingerprint) preparse(tenantId, policies)
    // What was read before a change must not be taken for what is there after it.
    const found = { fingerprint, isEmpty: policies.length === 0, until: changes === changesBefore ? from + cacheMs : from }
    if (known.size >= cachedMax) known.clear()
    known.set(tenantId, found)
    return found
  }

  async function current(tenantId: string): Promise<Known> {
    const found = known.get(tenantId)
    if (found && found.until > monotonicMs()) return found
    const running = loading.get(tenantId) ?? load(tenantId).finally(() => loading.delete(tenantId))
    loading.set(tenantId, running)
    return running
  }

  function forget(tenantId: string): void {
    changes++
    known.delete(tenantId)
    loading.delete(tenantId)
  }

  async function judge(tenantId: string, request: PolicyRequest): Promise<Judgement> {
    const { isEmpty } = await current(tenantId)
    if (isEmpty && !needsPermit(request)) return { isAsked: false, policies: [] }
    const { isAllowed, policies, errors, mayBeApproved, rule } = guarded(() => (isEmpty ? decideWith([], request) : decide(tenantId, request)))
    if (isAllowed) return { isAsked: !isEmpty, policies }
    const refused = (why: string): Judgement => ({ refusal: { why, mayBeApproved, ...(rule && { rule }) }, isAsked: true, policies })
    const what = `${request.action} of ${request.resource.type} ${JSON.stringify(request.resource.id)}`
    if (errors.length > 0) {
      log.error('a policy could not be evaluated, so it forbids', { tenantId, action: request.action, errors })
      return refused(`${what} is refused: the policy ${policies.join(', ') || '(none)'} could not be evaluated: ${errors.join('; ')}.`)
    }
    if (policies.length === 0) return refused(`${what} is refused: no policy permits it.`)
    return refused(`${what} is forbidden by the policy ${policies.join(', ')}.`)
  }

  return {
    judge,
    whyNot: async (tenantId, request) => (await judge(tenantId, request)).refusal?.why,
    async test(tenantId, request, draft) {
      const wrong = draft && whyNotPolicy(draft)
      if (wrong) throw new AppError('invalid', `draft: ${wrong}`)
      const active = await listActive(db.forTenant(tenantId), policiesMax)
      const policies = draft ? [...active.filter(({ name }) => name !== draft.name), draft] : active
      const from = monotonicMs()
      const decision = guarded(() => decideWith(policies, request))
      return { ...decision, ms: Math.round((monotonicMs() - from) * 1_000) / 1_000 }
    },
    async put(caller, policy) {
      const wrong = whyNotPolicy(policy)
      if (wrong) throw new AppError('invalid', `text: ${wrong}`)
      const put = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const inserted = await insertVersion(tx, { ...policy, createdBy: caller.name })
        if ((await listActive(tx, policiesMax + 1)).length > policiesMax) throw new AppError('over_limit', `A tenant has at most ${policiesMax} policies.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'policies.put', target: policy.name, detail: { version: inserted.version } })
        return inserted
      })
      forget(caller.tenantId)
      return put
    },
    list: (tenantId) => listActive(db.forTenant(tenantId), policiesMax),
    async versions(tenantId, name) {
      const versions = await listVersions(db.forTenant(tenantId), name, versionsMax)
      if (versions.length === 0) throw new AppError('not_found', `No policy ${name}.`)
      return versions
    },
    async delete(caller, name) {
      const deleted = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const found = await deactivate(tx, name)
        if (!found) throw new AppError('not_found', `No policy ${name}.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'policies.delete', target: name, detail: { version: found.version } })
        return found
      })
      forget(caller.tenantId)
      return deleted
    },
  }
}

/** Whatever goes wrong inside, such as arguments that no policy can look at, is a no. */
function guarded(work: () => Decision): Decision {
  try {
    return work()
  } catch (error) {
    return { isAllowed: false, policies: [], errors: [error instanceof Error ? error.message : String(error)], mayBeApproved: false }
  }
}
