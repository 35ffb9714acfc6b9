/**
 * Whose words a run has read, and what people have allowed it since. Everything that a model has read labels everything that it does from then on: labels
 * belong to the run, not to texts, since a model launders texts without knowing. Derived from the journal, so that no worker can leave any of it out.
 */
import { isDeepStrictEqual } from 'node:util'
import type { Json } from '@longhaul/protocol'
import type { NewEvent } from './history.ts'

type Call = { tool: string; input: Json }

/** Who has sent a signal that came as a webhook, as the journal names them. */
export const sentByHook = (name: string): string => `${hookPrefix}${name}`
const hookPrefix = 'hook '

/** Further sources are counted as one. */
const labelsMax = 200

export class Trust {
  /** `web:example.com`, `tool_server:crm.example.com`, `hook:issues`, `call:http_request` for what came with a failure. */
  readonly labels = new Set<string>()
  /** What approvals that are open were asked for, by their paths. */
  readonly #asked = new Map<string, Call>()
  /** Each is good for one call, with exactly these arguments. */
  readonly #grants: (Call & { usedBy?: string })[] = []

  apply({ type, op = '', data }: NewEvent): void {
    // The journal was written by this engine: data of a type has the shape that the protocol gives it.
    const { kind = '', name = '', output, input, detail, failure, end, retryInMs, by, labels = [] } = data as Fields
    if (type === 'step.started' && (kind === 'tool' || kind === 'call')) {
      const grant = this.#find(op, callOf(kind, name, input ?? null))
      if (grant) grant.usedBy = op
    }
    const source = output?.source ?? 'own'
    if (type === 'step.completed' && (kind === 'tool' || kind === 'call') && source !== 'own') this.add([`${source}:${output?.origin ?? name}`])
    // The words of a failure may be a stranger's, too. Our own refusals are made before anybody was asked.
    if (type === 'step.failed' && kind === 'call' && retryInMs === null && !ownRefusals.includes(failure?.code ?? '')) this.add([`call:${name}`])
    if (type === 'wait.created' && kind === 'approval' && isCall(detail)) this.#asked.set(op, detail)
    if (type === 'wait.completed' && kind === 'approval') {
      const asked = this.#asked.get(op)
      if (asked && output?.approved === true) this.#grants.push({ tool: asked.tool, input: asked.input })
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

  /** Whether a person has allowed this call, and no other has used that up. */
  isGranted(op: string, call: Call): boolean {
    return this.#find(op, call) !== undefined
  }

  #find(op: string, { tool, input }: Call) {
    return this.#grants.find((grant) => (grant.usedBy ?? op) === op && grant.tool === tool && isDeepStrictEqual(grant.input, input))
  }
}

/** A tool that the server executes is named in the input of its step. */
export const callOf = (kind: string, name: string, input: Json): Call =>
  kind === 'call' && isCall(input) ? { tool: input.tool, input: input.input } : { tool: name, input }

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
  labels?: string[]
}

const isCall = (value: unknown): value is Call =>
  typeof value === 'object' && value !== null && 'tool' in value && typeof value.tool === 'string' && 'input' in value
const ownRefusals = ['forbidden', 'needs_approval', 'off', 'over_limit', 'withheld', 'not_found', 'invalid', 'not_loaded']
