/** Cedar, the policy language, as this program uses it: requests about anything, decisions that name the policies behind them. No I/O. */
import {
  type CedarValueJson,
  type DetailedError,
  type EntityJson,
  type PolicyJson,
  isAuthorized,
  policySetTextToParts,
  policyToJson,
  preparsePolicySet,
  statefulIsAuthorized,
} from '@cedar-policy/cedar-wasm/nodejs'
import { type ApprovalRule, anybodyDecides, bothRules, fulfils } from '@longhaul/protocol'
import { ruleOf } from './policy-annotations.ts'

/** What is asked: may `principal` do `action` to `resource`, in these circumstances? */
export type PolicyRequest = {
  /** A key, or a person who is signed in. `role` is the one role of whoever has one alone. */
  principal: { type?: 'Key' | 'Person'; id: string; name: string; roles?: readonly string[] | undefined }
  action: string
  /** `type` is a word such as `Agent`, `Run`, `Tool`. */
  resource: { type: string; id: string }
  context: Record<string, unknown>
}
/** `mayBeApproved`: every policy that forbids it says that people may allow it. `rule`: who, where that is not one of those who may decide. */
export type Decision = { isAllowed: boolean; policies: string[]; errors: string[]; mayBeApproved: boolean; rule?: ApprovalRule }
export type PolicyText = { name: string; text: string }

/** What nobody may who is not permitted it by a policy, unless the operator says that it is for everyone. Everything else policies can only forbid: permissions were checked before. */
const permittedAction = 'sandboxes.mount'
const base = { '': `permit (principal, action, resource) unless { action == Action::"${permittedAction}" && !context.isForEveryone };` }

/** Whether silence is a no. */
export const needsPermit = ({ action }: PolicyRequest): boolean => action === permittedAction

/** What is wrong with a policy's text; undefined when it can be used. */
export function whyNotPolicy({ name, text }: PolicyText): string | undefined {
  try {
    const statements = statementsOf({ name, text })
    const checked = preparsePolicySet('check', { staticPolicies: statements })
    if (checked.type === 'failure') return messagesOf(checked.errors)
    for (const statement of Object.values(statements)) ruleOf(partsOf(statement))
    return Object.values(statements).every(hasEffect)
      ? undefined
      : `Only \`forbid\` has an effect here, and \`permit\` with \`action == Action::"${permittedAction}"\`: what else is permitted is for permissions and roles to say.`
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function hasEffect(statement: string): boolean {
  const { effect, action } = partsOf(statement)
  if (effect === 'forbid') return true
  return action.op === '==' && 'entity' in action && 'type' in action.entity && action.entity.type === 'Action' && action.entity.id === permittedAction
}

function partsOf(statement: string): PolicyJson {
  const parsed = policyToJson(statement)
  if (parsed.type === 'failure') throw new Error(messagesOf(parsed.errors))
  return parsed.json
}

/** By what `preparse` keeps ready: the statements that say who may allow what they forbid. */
const approvable = new Map<string, Rules>()
type Rules = ReadonlyMap<string, ApprovalRule>

/** A statement whose annotations cannot be read is nothing that people may allow: it was put before they were looked at. */
const rulesOf = (statements: Record<string, string>): Rules =>
  new Map(
    Object.entries(statements).flatMap(([id, statement]) => {
      try {
        const rule = ruleOf(partsOf(statement))
        return rule ? [[id, rule]] : []
      } catch {
        return []
      }
    }),
  )

/** Kept ready under the id; replaces what was there. */
export function preparse(id: string, policies: readonly PolicyText[]): void {
  const statements: Record<string, string> = Object.assign({}, ...policies.map(statementsOf))
  const parsed = preparsePolicySet(id, { staticPolicies: { ...base, ...statements } })
  if (parsed.type === 'failure') throw new Error(`The policies of ${id} cannot be read: ${messagesOf(parsed.errors)}`)
  approvable.set(id, rulesOf(statements))
}

/** Against policies that `preparse` made ready. */
export const decide = (id: string, request: PolicyRequest): Decision =>
  answer(statefulIsAuthorized({ preparsedPolicySetId: id, ...toCedar(request) }), approvable.get(id) ?? new Map())

/** Against policies that are given. */
export function decideWith(policies: readonly PolicyText[], request: PolicyRequest): Decision {
  const statements: Record<string, string> = Object.assign({}, ...policies.map(statementsOf))
  return answer(isAuthorized({ policies: { staticPolicies: { ...base, ...statements } }, ...toCedar(request) }), rulesOf(statements))
}

/** A policy that cannot be evaluated forbids: Cedar would pass over it. */
function answer(given: ReturnType<typeof isAuthorized>, rules: Rules): Decision {
  if (given.type === 'failure') return { isAllowed: false, policies: [], errors: [messagesOf(given.errors)], mayBeApproved: false }
  const { decision, diagnostics } = given.response
  const errors = diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${error.message}`)
  const needed = decision === 'deny' && errors.length === 0 ? together(diagnostics.reason.map((id) => rules.get(id))) : undefined
  return {
    isAllowed: decision === 'allow' && errors.length === 0,
    policies: [...new Set([...diagnostics.reason, ...diagnostics.errors.map(({ policyId }) => policyId)].filter((id) => id !== ''))],
    errors,
    mayBeApproved: needed !== undefined,
    ...(needed && !fulfils(anybodyDecides, needed) && { rule: needed }),
  }
}

/** What fulfils all of them; undefined where one is nothing that people may allow, or nobody may by all. */
const together = (rules: readonly (ApprovalRule | undefined)[]): ApprovalRule | undefined =>
  rules.length === 0 ? undefined : rules.reduce((one, other) => one && other && bothRules(one, other), anybodyDecides)

/** A text may hold several statements; they go by the policy's name and their number. */
function statementsOf({ name, text }: PolicyText): Record<string, string> {
  const parts = policySetTextToParts(text)
  if (parts.type === 'failure') throw new Error(messagesOf(parts.errors))
  if (parts.policy_templates.length > 0) throw new Error('Templates (?principal, ?resource) have nobody who fills them in.')
  const { policies } = parts
  if (policies.length === 0) throw new Error('There is no policy in it.')
  return Object.fromEntries(policies.map((statement, at) => [policies.length === 1 ? name : `${name}#${at + 1}`, statement]))
}

function toCedar({ principal, action, resource, context }: PolicyRequest) {
  const who = { type: principal.type ?? 'Key', id: principal.id }
  const { name, roles = [] } = principal
  const entities: EntityJson[] = [
    {
      uid: who,
      attrs: { name, ...(roles.length === 1 && roles[0] !== undefined && { role: roles[0] }) },
      parents: roles.map((id) => ({ type: 'Role', id })),
    },
  ]
  return { principal: who, action: { type: 'Action', id: action }, resource, context: toRecord(context, 0), entities }
}

const depthMax = 20

/** Cedar knows no null and no fraction: an absent field is absent, and a fraction is a text that `decimal()` reads. */
function toValue(value: unknown, depth: number): CedarValueJson | undefined {
  if (typeof value === 'string' || typeof value === 'boolean') return value
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : String(value)
  if (typeof value !== 'object' || value === null) return undefined
  if (depth >= depthMax) throw new Error('nested too deeply for a policy')
  if (Array.isArray(value)) return value.flatMap((item) => toValue(item, depth + 1) ?? [])
  return toRecord(value, depth + 1)
}

/** `__entity` and `__extn` mean something to Cedar. Whoever sends arguments may not speak that language. */
const toRecord = (value: object, depth: number): Record<string, CedarValueJson> =>
  Object.fromEntries(
    Object.entries(value).flatMap(([key, inner]) => {
      const converted = toValue(inner, depth)
      return converted === undefined ? [] : [[key.startsWith('__') ? `_${key}` : key, converted]]
    }),
  )

const messagesOf = (errors: readonly DetailedError[]): string => errors.map(({ message, help }) => (help ? `${message} (${help})` : message)).join('; ')
