/** What two runs did differently, from their journals. A fork is compared from where it left its original. */
import { isDeepStrictEqual } from 'node:util'
import type { Json, Run, RunEvent, Usage, compareRuns } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Audience, Db } from '../db/index.ts'
import { listEvents, loadRun } from '../engine/index.ts'

type Comparison = z.output<typeof compareRuns.output>
type Step = { op: string; kind: Comparison['different'][number]['kind']; name: string; outcome: string; value: Json; input: Json }

const shownMax = 1_000
const valueCharactersMax = 2_000
const pageMax = 1_000

export async function compare(db: Db, audience: Audience, first: string, second: string): Promise<Comparison> {
  const [a, b] = await Promise.all([loadRun(db, audience, first), loadRun(db, audience, second)])
  const [eventsA, eventsB] = [await eventsOf(db, audience, a), await eventsOf(db, audience, b)]
  return compareEvents({ run: a, events: eventsA }, { run: b, events: eventsB })
}

/** Pure. */
export function compareEvents(a: { run: Run; events: readonly RunEvent[] }, b: { run: Run; events: readonly RunEvent[] }): Comparison {
  const fork = forkOf(a, b) ?? forkOf(b, a)
  const prefix = new Set(fork ? stepsOf(fork.events.slice(0, fork.run.fork?.eventCount)).keys() : [])
  const [stepsA, stepsB] = [stepsOf(a.events), stepsOf(b.events)]
  const different: Comparison['different'] = []
  let sameCount = 0
  let differentCount = 0
  for (const op of new Set([...stepsA.keys(), ...stepsB.keys()])) {
    if (prefix.has(op)) continue
    const [inA, inB] = [stepsA.get(op), stepsB.get(op)]
    if (isDeepStrictEqual(inA, inB)) {
      sameCount++
      continue
    }
    differentCount++
    // Another thing under the same place is two steps: one of each.
    const isSameThing = !inA || !inB || (inA.kind === inB.kind && inA.name === inB.name)
    const rows = isSameThing
      ? [{ inA, inB }]
      : [
          { inA, inB: undefined },
          { inA: undefined, inB },
        ]
    for (const row of rows) {
      const head = row.inA ?? row.inB
      if (head && different.length < shownMax) different.push({ op, kind: head.kind, name: head.name, a: shown(row.inA), b: shown(row.inB) })
    }
  }
  const side = ({ run, events }: typeof a): Comparison['a'] => ({
    runId: run.id,
    state: run.state,
    usage: usageOf(events, prefix),
    withheldCount: events.filter((event) => event.type === 'step.failed' && event.data.failure.code === 'withheld').length,
    output: run.output,
    failure: run.failure,
  })
  return {
    a: side(a),
    b: side(b),
    prefixCount: fork?.run.fork?.eventCount ?? 0,
    sameCount,
    differentCount,
    different,
    isSameAnswer: a.run.state === b.run.state && isDeepStrictEqual(a.run.output, b.run.output) && a.run.failure?.message === b.run.failure?.message,
  }
}

const forkOf = <Side extends { run: Run }>(side: Side, other: { run: Run }): Side | undefined => (side.run.fork?.runId === other.run.id ? side : undefined)

/** Steps by place, as they ended or stand. */
function stepsOf(events: readonly RunEvent[]): Map<string, Step> {
  const steps = new Map<string, Step>()
  for (const event of events) {
    if (event.op === undefined) continue
    const { op } = event
    const input = steps.get(op)?.input ?? null
    if (event.type === 'step.started')
      steps.set(op, { op, kind: event.data.kind, name: event.data.name, outcome: 'open', value: null, input: event.data.input ?? null })
    if (event.type === 'step.completed')
      steps.set(op, { op, kind: event.data.kind, name: event.data.name, outcome: 'completed', value: comparable(event.data.kind, event.data.output), input })
    if (event.type === 'step.failed')
      steps.set(op, {
        op,
        kind: event.data.kind,
        name: event.data.name,
        outcome: event.data.failure.code === 'withheld' ? 'withheld' : 'failed',
        value: event.data.failure.message,
        input,
      })
  }
  return steps
}

/** Two equal answers of a model may have cost differently, which shows in the sums; and no command takes the same time twice. */
function comparable(kind: Step['kind'], output: Json): Json {
  if (output === null || typeof output !== 'object' || Array.isArray(output)) return output
  if (kind === 'exec') return without(output, 'durationMs')
  return 'usage' in output ? without(output, 'usage') : output
}

const without = (value: { [name: string]: Json }, field: string): Json => Object.fromEntries(Object.entries(value).filter(([name]) => name !== field))

function usageOf(events: readonly RunEvent[], prefix: ReadonlySet<string>): Usage {
  const sum: Usage = { input: 0, cachedInput: 0, output: 0, costUsd: 0 }
  for (const event of events) {
    if (event.type !== 'step.completed' || !event.data.usage || prefix.has(event.op ?? '')) continue
    const { input, cachedInput, output, costUsd } = event.data.usage
    sum.input += input
    sum.cachedInput += cachedInput
    sum.output += output
    sum.costUsd = sum.costUsd === null || costUsd === null ? null : sum.costUsd + costUsd
  }
  return sum
}

const shown = (step: Step | undefined) => (step ? { outcome: step.outcome, value: cut(step.value), input: cut(step.input) } : null)

function cut(value: Json): Json {
  const text = JSON.stringify(value)
  return text.length <= valueCharactersMax ? value : `${text.slice(0, valueCharactersMax).toWellFormed()}…`
}

async function eventsOf(db: Db, { tenantId }: Audience, { id }: Run): Promise<RunEvent[]> {
  const events: RunEvent[] = []
  for (;;) {
    const page = await listEvents(db.forTenant(tenantId), tenantId, id, events.length - 1, pageMax)
    events.push(...page)
    if (page.length < pageMax) return events
  }
}
