/** What is said to runs from outside: signals, cancellation, decisions, answers. Each is in the database before it is acknowledged. */
import { type Approval, type AskAnswers, type DoubtDecision, type Json, type Run, answersTo, asksOf, isTerminal, may, whyNotJson } from '@longhaul/protocol'
import { type Audience, type Db, noteAudit } from '../db/index.ts'
import { AppError, newId, probe, sleep } from '../kernel/index.ts'
import { findApproval, recordDecision } from './approval-store.ts'
import type { Node } from './node.ts'
import { type Message, findContinuation, listStepEvents, loadRun, sendMessage } from './run-store.ts'
import { assertStorable } from './storable.ts'
import type { Watchers } from './watchers.ts'

export type ApprovalDecision = { approvalId: string; approved: boolean; comment?: string | undefined; answers?: AskAnswers | undefined }
export type StepDecision = { runId: string; op: string; decision: DoubtDecision; output: Json; message?: string | undefined }

export type Messages = {
  cancel(audience: Audience, runId: string, by: string, reason?: string): Promise<Run>
  /** `labels`: whose words the payload holds, where those are not the sender's. */
  signal(audience: Audience, runId: string, by: string, name: string, payload: Json, idempotencyKey?: string, labels?: readonly string[]): Promise<Run>
  retry(audience: Audience, runId: string, by: string): Promise<Run>
  /** Decides a write that is in doubt. The first decision counts. */
  decideStep(audience: Audience, by: string, decision: StepDecision): Promise<Run>
  /** Throws `invalid` for answers that are not to what the approval asks for, `forbidden` for those who may not decide by its rule. */
  decide(audience: Audience & { roles?: readonly string[] | undefined }, by: string, decision: ApprovalDecision): Promise<Approval>
}

export type MessagesOptions = {
  db: Db
  node: Node
  watchers: Watchers
  /** The message is in the database, so it arrives. This is only to have it arrive at once. */
  deliver(runId: string, nodeId: string | null | undefined): void
}

export function openMessages({ db, node, watchers, deliver }: MessagesOptions): Messages {
  /** `ended` when the run takes nothing more, `repeated` when a message with that key was there before. */
  async function send(
    audience: Audience,
    runId: string,
    message: Pick<Message, 'name' | 'payload' | 'sentBy' | 'labels' | 'idempotencyKey'> & { kind: 'signal' | 'cancel' | 'retry' | 'decision' },
  ): Promise<'sent' | 'repeated' | 'ended'> {
    probe('message.before')
    const { tenantId, keyId = null } = audience
    const note = { who: { id: keyId, name: message.sentBy }, action: `runs.${message.kind}`, target: runId, detail: { name: message.name } }
    const sent = await sendMessage(db.forTenant(tenantId), { id: newId(), tenantId, runId, ...message }, { audience, note })
    probe('message.after')
    if (!sent) return 'ended'
    deliver(runId, sent.nodeId)
    return sent.isNew ? 'sent' : 'repeated'
  }

  const load = (audience: Audience, runId: string) => loadRun(db, audience, runId)

  /** The run, or the one that it has continued as: whoever talks to the first means the last. */
  async function loadCurrent(audience: Audience, runId: string): Promise<Run> {
    const run = await load(audience, runId)
    return run.continuedAs === null ? run : ((await findContinuation(db, audience, runId)) ?? run)
  }

  /** Waits until the run is as `isDone` wants it, or the time is up; returns it either way. */
  async function until(audience: Audience, runId: string, isDone: (run: Run) => boolean, limitMs = 5_000): Promise<Run> {
    const from = node.clock.nowMs()
    for (;;) {
      const run = await load(audience, runId)
      if (isDone(run) || node.clock.nowMs() - from > limitMs) return run
      await new Promise<void>((resolve) => {
        const stop = watchers.watch(runId, { onWake: done, onLive: () => {} })
        const timer = new AbortController()
        function done() {
          stop()
          timer.abort()
          resolve()
        }
        void sleep(100, timer.signal).then(done)
      })
    }
  }

  return {
    async cancel(audience, given, by, reason) {
      assertStorable({ reason })
      const run = await loadCurrent(audience, given)
      const runId = run.id
      if (isTerminal(run.state)) return run
      await send(audience, runId, { kind: 'cancel', name: 'cancel', payload: reason === undefined ? {} : { reason }, sentBy: by })
      return until(audience, runId, ({ state }) => isTerminal(state))
    },

    async signal(audience, given, by, name, payload, idempotencyKey, labels) {
      assertStorable({ name, idempotencyKey })
      const problem = whyNotJson(payload, 'payload')
      for (let runId = given; ;) {
        // Sent before anything is looked at: whoever waits for it, waits for this.
        const sent = problem ? 'ended' : await send(audience, runId, { kind: 'signal', name, payload, sentBy: by, labels, idempotencyKey })
        if (sent !== 'ended') return load(audience, runId)
        const run = await loadCurrent(audience, runId)
        if (!may(run.state, 'signal') || (run.id === runId && !problem))
          throw new AppError('conflict', `Run ${run.id} has ended (${run.state}); it takes no signals any more.`)
        if (problem) throw new AppError('invalid', `The payload cannot be stored: ${problem}.`)
        runId = run.id // It has ended, to go on as another.
      }
    },

    async retry(audience, runId, by) {
      const run = await load(audience, runId)
      if (run.wait?.reason === 'stopped') throw new AppError('conflict', `Run ${runId} is stopped. Lift the stop: longhaul stops list names it.`)
      if (run.wait?.kind !== 'operator')
        throw new AppError('conflict', `Run ${runId} does not wait for an operator (it is ${run.state}); there is nothing to take up again.`)
      if (run.wait.reason === 'in_doubt')
        throw new AppError('conflict', `Step ${run.wait.op} of run ${runId} is in doubt: say what became of it (runs.decide), then the run goes on.`)
      await send(audience, runId, { kind: 'retry', name: 'retry', payload: null, sentBy: by })
      return until(audience, runId, ({ wait }) => wait?.kind !== 'operator', 2_000)
    },

    async decideStep(audience, by, { runId, op, decision, output, message }) {
      assertStorable({ message })
      const problem = whyNotJson(output, 'output')
      if (problem) throw new AppError('invalid', `The output cannot be stored: ${problem}.`)
      const run = await load(audience, runId)
      const last = (await listStepEvents(db.forTenant(audience.tenantId), audience.tenantId, runId, op)).findLast(({ type }) => type.startsWith('step.'))
      if (last?.type !== 'step.doubted' || isTerminal(run.state))
        throw new AppError(
          'conflict',
          `Step ${op} of run ${runId} is not in doubt${last ? ` (its last event is ${last.type})` : ''}; there is nothing to decide.`,
        )
      const { attempt } = last.data
      const payload: Json = { decision, output, attempt, ...(message !== undefined && { message }) }
      const sent = await send(audience, runId, { kind: 'decision', name: op, payload, sentBy: by, idempotencyKey: `doubt ${op} ${attempt}` })
      if (sent !== 'sent')
        throw new AppError('conflict', `Step ${op} of run ${runId} has been decided already, or the run has ended; the first decision counts.`)
      return until(audience, runId, ({ wait }) => wait?.op !== op, 2_000)
    },

    async decide(audience, by, { approvalId, approved, comment, answers }) {
      assertStorable({ comment })
      probe('message.before')
      const decided = await db.forTenant(audience.tenantId).transaction(async (tx) => {
        const approver = { id: audience.keyId ?? by, name: by, roles: audience.roles ?? [] }
        const approval = await recordDecision(tx, audience, { id: approvalId, approved, by: approver, comment })
        if (!approval) return undefined
        const answered = readAnswers(approval, answers)
        const who = { id: audience.keyId ?? null, name: by }
        await noteAudit(tx, { who, action: 'approvals.decide', target: approvalId, detail: { approved, runId: approval.runId, state: approval.state } })
        if (approval.state === 'pending') return { approval, nodeId: undefined } // Others have to approve as well.
        const sent = await sendMessage(tx, {
          id: newId(),
          tenantId: audience.tenantId,
          runId: approval.runId,
          kind: 'approval',
          name: approvalId,
          payload: { approved, by: approval.decidedBy ?? by, comment: comment ?? null, ...(answered && { answers: answered }) },
          sentBy: by,
        })
        return { approval, nodeId: sent?.nodeId }
      })
      probe('message.after')
      if (!decided) {
        const found = await findApproval(db.forTenant(audience.tenantId), audience, approvalId)
        if (!found) throw new AppError('not_found', `No approval ${approvalId}.`)
        throw new AppError('conflict', `This approval is ${found.state}${found.decidedBy ? ` (by ${found.decidedBy})` : ''}; the first answer counts.`)
      }
      if (decided.approval.state !== 'pending') deliver(decided.approval.runId, decided.nodeId)
      watchers.wakeTenant(audience.tenantId)
      return decided.approval
    },
  }
}

/** To what an approval asks for beside yes or no, whole. Undefined where it asks for nothing, or is denied. */
function readAnswers({ state, detail }: Approval, given: AskAnswers | undefined): AskAnswers | undefined {
  const asks = asksOf(detail)
  if (state !== 'approved' || asks.length === 0) {
    if (given) throw new AppError('invalid', 'Answers belong to a yes, the last one where several have to approve, and to an approval that asks for some.')
    return undefined
  }
  const problem = whyNotJson(given ?? {}, 'answers')
  const read = problem === undefined ? answersTo(asks, given ?? {}) : { problem: `They cannot be stored: ${problem}.` }
  if ('problem' in read) throw new AppError('invalid', `The answers do not fit. ${read.problem}`)
  return read.answers
}
