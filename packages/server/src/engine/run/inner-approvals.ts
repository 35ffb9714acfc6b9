/** Approvals that are asked for inside a step of the server, and the calls that they allow: each is found again by the step's next attempt. */
import { type ApprovalRule, type AskAnswers, type Failure, type Json, type StepKind, whyNotJson } from '@longhaul/protocol'
import { StepFailure, after } from '../../kernel/index.ts'
import { callOf } from '../trust.ts'
import type { ActiveRun } from './active-run.ts'
import type { InnerApproval, InnerApprovals } from './ports.ts'
import { ruleFor, waited } from './waits.ts'

/** Of one step, undecided. */
const openMax = 50

const interrupted: Failure = {
  message:
    'It was allowed and begun, and then interrupted; whether it took effect is not known. It is not made again: find out, and ask anew under another key.',
  code: 'interrupted',
  retryable: false,
}

type Ways = { takePath(): string; askAt(op: string, kind: StepKind, name: string, input: Json): Promise<Json> }

export function innerApprovals(run: ActiveRun, outer: string, { takePath, askAt }: Ways): InnerApprovals {
  const { history } = run
  /** Who waits for a decision, by the paths of the waits. */
  const waiting = new Map<string, Set<() => void>>()
  const calls = new Map<string, Promise<Json>>()
  const listen = (op: string) => {
    const told = new Set<() => void>()
    waiting.set(op, told)
    run.inner.set(op, () => {
      run.inner.delete(op)
      for (const tell of told) tell()
    })
  }
  const mine = () => [...history.askedInside].filter(([, { op }]) => op.startsWith(`${outer}.`))
  for (const [, { op }] of mine()) if (history.ops.get(op)?.state === 'waiting') listen(op)

  function find(id: string): InnerApproval {
    const asked = history.askedInside.get(id)
    if (!asked?.op.startsWith(`${outer}.`)) throw new StepFailure({ message: `This run asks for no approval ${id}.`, code: 'not_found', retryable: false })
    const { name, detail } = asked
    const op = history.ops.get(asked.op)
    const head = { id, name, detail, decision: undefined, expiresAt: null }
    if (op?.state === 'failed') return { ...head, state: 'expired' }
    if (op?.state !== 'completed')
      return { ...head, state: 'pending', expiresAt: op?.state === 'waiting' && op.until !== null ? new Date(op.until).toISOString() : null }
    const { approved, ...decision } = op.output as { approved: boolean; by: string; comment: string | null; answers?: AskAnswers } // The result of such a wait.
    return { ...head, state: approved ? 'approved' : 'denied', decision }
  }

  function refuse(message: string, code: string): never {
    throw new StepFailure({ message, code, retryable: false })
  }

  async function call(id: string): Promise<Json> {
    const { detail } = find(id)
    const { tool, input } = callOf('call', '', detail)
    const request = { tool, input, approvalId: id }
    const used = history.trust.usedBy(id)
    if (used === undefined) return askAt(takePath(), 'call', tool, request)
    const op = history.ops.get(used)
    if (op?.state === 'completed') return op.output
    if (op?.state === 'failed') throw new StepFailure(op.failure)
    const executor = run.ports.executors.call
    if (executor?.mayWrite?.(request) === false || executor?.mayRepeat?.(request)) return askAt(used, 'call', tool, request)
    const attempt = op?.state === 'open' ? op.attempt : 1
    run.append([{ type: 'step.failed', op: used, data: { kind: 'call', name: tool, attempt, failure: interrupted, retryInMs: null } }])
    throw new StepFailure(interrupted)
  }

  return {
    list: () => mine().map(([id]) => find(id)),
    async ask({ name, detail, rule, timeoutMs }: { name: string; detail: Json; rule?: ApprovalRule | undefined; timeoutMs: number | null }) {
      const problem = whyNotJson(detail)
      if (problem) refuse(`What it asks for cannot be stored: ${problem}.`, 'invalid')
      if (ruleFor(run, detail, rule) === 'nobody')
        refuse(`It is for ${rule?.roles?.join(', ')}, and by the policies it is for others: nobody could decide it.`, 'invalid')
      if (mine().filter(([id]) => find(id).state === 'pending').length >= openMax)
        refuse(`${openMax} approvals of it wait for a decision already.`, 'over_limit')
      const op = takePath()
      listen(op)
      waited(run, { type: 'op.wait', run: run.id, op, kind: 'approval', name, timeoutMs, detail, ...(rule && { rule }) })
      await new Promise<void>((resolve) => run.append([], { then: resolve }))
      const [id] = mine().find(([, asked]) => asked.op === op) ?? refuse('The run has ended.', 'conflict')
      return find(id)
    },
    async decided(id, msMax) {
      const { state } = find(id)
      const told = waiting.get(history.askedInside.get(id)?.op ?? '')
      if (state === 'pending' && told)
        await new Promise<void>((resolve) => {
          const tell = () => {
            cancel()
            told.delete(tell)
            resolve()
          }
          const cancel = after(msMax, tell)
          told.add(tell)
        })
      return find(id)
    },
    call(id) {
      const known = calls.get(id)
      const made = known ?? call(id)
      if (!known) calls.set(id, made)
      return made
    },
  }
}
