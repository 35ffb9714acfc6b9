/**
 * Whose words a run has read, and what people have allowed it since. Everything that a model has read labels everything that it does from then on: labels
 * belong to the run, not to texts, since a model launders texts without knowing. Derived from the journal, so that no worker can leave any of it out.
 */
import { isDeepStrictEqual } from 'node:util'
import { type ApprovalRule, type Json, anybodyDecides } from '@longhaul/protocol'
import type { NewEvent } from './history.ts'

type Call = { tool: string; input: Json; approvalId?: string | undefined }
type Ruled = Call & { rule: ApprovalRule }

/** Who has sent a signal that came as a webhook, as the journal names them. */
export const sentByHook = (name: string): string => `${hookPrefix}${name}`
const hookPrefix = 'hook '

/** Further sources are counted as one. */
const labelsMax = 200

export class Trust {
  /** `web:example.com`, `tool_server:crm.example.com`, `hook:issues`, `call:http_request` for what came with a failure. */
  readonly labels = new Set<string>()
  /** What approvals that are open were asked for, and by which rule, by their paths. */
  readonly #asked = new Map<string, Ruled>()
  /** Each is good for one call, with exactly these arguments. */
  readonly #grants: (Ruled & { usedBy?: string })[] = []
  /** Calls that have begun and not ended, by their paths. */
  readonly #begun = new Map<string, Call>()
  /** Calls that were refused, by which policies, and who may allow them where that is not one of those who may decide. */
  #refused: (Call & { rule: ApprovalRule | undefined; policies: string[] })[] = []

  apply({ type, op = '', data }: NewEvent): void {
    // The journal was written by this engine: data of a type has the shape that the protocol gives it.
    const { kind = '', name = '', output, input, detail, failure, end, retryInMs, by, rule, policy, approvalId, labels = [] } = data as Fields
    if (type === 'step.started' && (kind === 'tool' || kind === 'call')) {
      const call = callOf(kind, name, input ?? null)
      const grant = this.#find(op, call)
      if (grant) grant.usedBy = op
      this.#begun.set(op, call)
    }
    if (type === 'step.completed' || type === 'step.failed') {
      const call = this.#begun.get(op)
      this.#begun.delete(op)
      if (call && policy?.outcome === 'refused' && failure?.code === 'needs_approval')
        this.#refused = [{ ...call, rule: policy.rule, policies: policy.policies ?? [] }, ...this.#refused.filter((one) => !isSame(one, call))]
    }
    const source = output?.source ?? 'own'
    if (type === 'step.completed' && (kind === 'tool' || kind === 'call') && source !== 'own') this.add([`${source}:${output?.origin ?? name}`])
    // The words of a failure may be a stranger's, too. Our own refusals are made before anybody was asked.
    if (type === 'step.failed' && kind === 'call' && retryInMs === null && !ownRefusals.includes(failure?.code ?? '')) this.add([`call:${name}`])
    if (type === 'wait.created' && kind === 'approval' && isCall(detail))
      this.#asked.set(op, { tool: detail.tool, input: detail.input, rule: rule ?? anybodyDecides, approvalId })
    if (type === 'wait.completed' && kind === 'approval') {
      const asked = this.#asked.get(op)
      if (asked && output?.approved === true) this.#grants.push(asked)
    }
    // Whoever has signed a webhook passes on what others wrote.
    if (type === 'signal.received' && by?.startsWith(hookPrefix)) this.add([`hook:${by.slice(hookPrefix.length)}`])
    // What was said to it meanwhile: whoever sent it has named those whose words it holds.
    if (type === 'signal.received' || (type === 'step.completed' && kind === 'model')) this.add(labels)
    // What the server itself has executed says so in its output: memories that others' words went into, a sandbox that has reached hosts.
    if (type === 'step.completed' && ['call', 'exec', 'files'].includes(kind)) this.add(output?.labels ?? [])
    if (type === 'wait.completed' && kind === 'run') this.add(output?.labels ?? [])
    if (type === 'child.ended') this.add(end?.labels ?? [])
  }

  add(labels: readonly string[]): void {
    for (const label of labels) this.labels.add(this.labels.size < labelsMax ? label : 'more:')
  }

  /** The rule by which people have allowed this call, if no other has used that up. */
  granted(op: string, call: Call): ApprovalRule | undefined {
    return this.#find(op, call)?.rule
  }

  /** Path of the call that what this approval allows was used up by. */
  usedBy(approvalId: string): string | undefined {
    return this.#grants.find((grant) => grant.approvalId === approvalId)?.usedBy
  }

  /** Who may allow what an approval is asked for, as policies said when they last refused exactly that. */
  neededFor(detail: unknown): ApprovalRule | undefined {
    return isCall(detail) ? this.#refused.find((one) => isSame(one, detail))?.rule : undefined
  }

  /** The policies that did. */
  refusedBy(detail: unknown): string[] {
    return (isCall(detail) && this.#refused.find((one) => isSame(one, detail))?.policies) || []
  }

  #find(op: string, call: Call) {
    const { approvalId } = call
    return this.#grants.find((grant) => (grant.usedBy ?? op) === op && isSame(grant, call) && (approvalId === undefined || grant.approvalId === approvalId))
  }
}

/** A tool that the server executes is named in the input of its step. */
export const callOf = (kind: string, name: string, input: Json): Call =>
  kind === 'call' && isCall(input) ? { tool: input.tool, input: input.input, approvalId: input.approvalId } : { tool: name, input }

/** What of the events' data is looked at here. */
type Fields = {
  kind?: string
  name?: string
  input?: Json
  detail?: unknown
  output?: { source?: string; origin?: string | null; approved?: boolean; labels?: string[] }
  failure?: { code?: string }
  end?: { labels?: string[] }
  retryInMs?: number | null
  by?: string
  rule?: ApprovalRule
  approvalId?: string
  policy?: { outcome: string; policies?: string[]; rule?: ApprovalRule }
  labels?: string[]
}

const isSame = (one: Call, other: Call): boolean => one.tool === other.tool && isDeepStrictEqual(one.input, other.input)
const isCall = (value: unknown): value is Call =>
  typeof value === 'object' && value !== null && 'tool' in value && typeof value.tool === 'string' && 'input' in value
const ownRefusals = ['forbidden', 'needs_approval', 'off', 'over_limit', 'withheld', 'not_found', 'invalid', 'not_loaded', 'interrupted']
