/**
 * Tells the ends of runs where their starter wanted them told: a webhook, another agent's run, a signal, a queue; webhooks and channels also what they ask of people. Each delivery is a row that the end itself
 * has made, tried until it is done or has failed often enough, by any node, with one id through all attempts.
 */
import { type ChannelReply, type Destination, type Json, storableText } from '@longhaul/protocol'
import { type Db, audienceOf } from '../db/index.ts'
import type { Engine, FoundVersion, WhyNotStart } from '../engine/index.ts'
import { AppError, type Log, type Service, backoffMs, loop, newId, probe, wallClock } from '../kernel/index.ts'
import type { WebhookReach } from './addresses.ts'
import {
  type AskedApproval,
  type DeliveryOutcome,
  type DueDelivery,
  claimDeliveries,
  insertDelivery,
  listEnded,
  nextDeliveryMs,
  recordOutcome,
  takeAsked,
} from './delivery-store.ts'
import type { Queues } from './queues.ts'
import { type WebhookAnswer, post } from './webhook.ts'

export type DeliveriesOptions = {
  db: Db
  log: Log
  engine: Pick<Engine, 'startRun' | 'signal'>
  findVersion(tenantId: string, agent: string, askerId?: string): Promise<FoundVersion>
  /** Asked before a destination starts a run. Absent: all may. */
  whyNotStart?: WhyNotStart
  queues: Pick<Queues, 'put'>
  webhooks: { secret: string | undefined; reach: WebhookReach }
  /** Brings an answer to the channel through which the message came. Absent: there are no channels. */
  replyInChannel?(delivery: DueDelivery & { destination: ChannelReply; link: string | null }): Promise<WebhookAnswer>
  /** The console's address, for links. Absent: notices have none. */
  publicUrl?: string | undefined
  pollMs?: number
  backoff?: { attemptsMax: number; delayMsMin: number; delayMsMax: number }
}

export type Deliveries = Service & {
  /** These runs have ended: their deliveries are made, if they were not before. */
  announce(runIds: string[]): Promise<void>
}

const leaseMs = 60_000
const atOnce = 20
/** Twelve attempts within about nine hours. */
const defaultBackoff = { attemptsMax: 12, delayMsMin: 2_000, delayMsMax: 3_600_000 }
const outputLengthMax = 1_000_000

export function openDeliveries(options: DeliveriesOptions): Deliveries {
  const { db, log, engine, webhooks, pollMs = 1_000, backoff = defaultBackoff } = options

  const deliveries = loop({
    everyMs: pollMs,
    onError: (error) => log.warn('deliveries could not be looked at; it is tried again', { error }),
    async work() {
      await announceAsked()
      const due = await claimDeliveries(db, leaseMs, atOnce)
      await Promise.all(due.map(deliver))
      if (due.length === atOnce) return 0
      const nextMs = await nextDeliveryMs(db)
      return nextMs === null ? pollMs : Math.max(1, Math.min(pollMs, nextMs))
    },
  })

  async function announceAsked(): Promise<void> {
    await db.transaction(async (tx) => {
      for (const { destinations, ...asked } of await takeAsked(tx, atOnce))
        for (const [n, destination] of destinations.entries())
          if ((destination.on as string[]).includes('approval')) await insertDelivery(tx, { ...asked, id: newId(), n, destination })
    })
  }

  async function deliver(delivery: DueDelivery): Promise<void> {
    const answer = await attempt(delivery).catch((error: unknown): WebhookAnswer => ({
      isDone: false,
      problem: error instanceof Error ? error.message : String(error),
      // What is refused for what it is will be refused again.
      mayRetry: !(error instanceof AppError) || error.code === 'unavailable',
    }))
    probe('delivery.after')
    const outcome = outcomeOf(delivery.attempt, answer)
    await recordOutcome(db, delivery.id, delivery.attempt, outcome)
    const about = { deliveryId: delivery.id, runId: delivery.run.id, attempt: delivery.attempt }
    if (outcome.state === 'failed') log.error('the end of a run could not be told; somebody must look at it', { ...about, problem: outcome.failure })
    if (outcome.state === 'pending')
      log.warn('the end of a run could not be told; it is tried again', { ...about, problem: outcome.failure, inMs: outcome.inMs })
  }

  function outcomeOf(attemptNumber: number, answer: WebhookAnswer): DeliveryOutcome {
    if (answer.isDone) return { state: 'delivered' }
    const { problem, mayRetry, retryAfterMs = 0 } = answer
    if (!mayRetry || attemptNumber >= backoff.attemptsMax) return { state: 'failed', failure: problem }
    return { state: 'pending', failure: problem, inMs: Math.max(retryAfterMs, backoffMs(attemptNumber, backoff)) }
  }

  async function attempt(delivery: DueDelivery): Promise<WebhookAnswer> {
    const { id, tenantId, destination, run, approval } = delivery
    if (approval?.isOpen === false) return { isDone: true } // Somebody was faster; there is nothing left to ask for.
    const link = options.publicUrl === undefined || !approval ? null : new URL(`/runs/${approval.runId}`, options.publicUrl).href
    const idempotencyKey = `delivery ${id}`
    switch (destination.type) {
      case 'webhook': {
        const { secret, reach } = webhooks
        if (secret === undefined) return { isDone: false, problem: noSecret, mayRetry: true }
        const body = JSON.stringify(approval ? askedNotice(approval, link) : noticeOf(delivery))
        return post({ url: destination.url, id: `msg_${id}`, body, secret, reach, nowMs: wallClock().getTime() })
      }
      case 'run': {
        const found = await options.findVersion(tenantId, destination.agent, run.asker.id)
        if ('problem' in found) return { isDone: false, problem: found.problem, mayRetry: true } // It may be deployed yet.
        const start = { tenantId, agent: destination.agent, input: noticeOf(delivery), asker: run.asker }
        const why = await options.whyNotStart?.({ ...start, namespace: 'default', startedBy: { type: 'destination', name: run.agent } })
        if (why !== undefined) return { isDone: false, problem: why, mayRetry: false }
        await engine.startRun({ ...start, ...found, idempotencyKey, labels: run.labels ?? [] })
        return { isDone: true }
      }
      case 'channel':
        if (!options.replyInChannel) return { isDone: false, problem: 'This server has no channels.', mayRetry: false }
        return options.replyInChannel({ ...delivery, destination, link })
      case 'queue':
        await options.queues.put({ tenantId, id, queue: destination.queue, runId: run.id, agent: run.agent, body: noticeOf(delivery) })
        return { isDone: true }
      case 'signal':
        await engine.signal(
          audienceOf(tenantId, run.asker),
          destination.runId,
          `run ${run.id}`,
          destination.name,
          noticeOf(delivery),
          idempotencyKey,
          run.labels ?? [],
        )
        return { isDone: true }
    }
  }

  return {
    async announce(runIds) {
      let isNew = false
      for (const { id: runId, tenantId, agent, state, destinations } of await listEnded(db, runIds)) {
        for (const [n, destination] of destinations.entries()) {
          if (!(destination.on as string[]).includes(state)) continue
          await insertDelivery(db, { tenantId, id: newId(), runId, n, agent, destination })
          isNew = true
        }
      }
      if (isNew) deliveries.wake()
    },
    start: deliveries.start,
    stop: deliveries.stop,
  }
}

/** Why nothing can be told to webhooks while there is no secret. */
export const noSecret = 'LONGHAUL_WEBHOOK_SECRET is not set, so webhooks cannot be signed.'

/** What a run asks of people. Nothing is decided by the link: whoever follows it signs in. */
const askedNotice = ({ id, runId, agent, title, detail, createdAt, expiresAt }: AskedApproval, link: string | null): Json => ({
  type: 'approval.asked',
  timestamp: new Date(createdAt).toISOString(),
  data: { approvalId: id, runId, agent, title, detail, expiresAt: expiresAt && new Date(expiresAt).toISOString(), link },
})

/** What receivers are told. An output that is too large for a message is left out; `runs.get` has it. */
function noticeOf({ run }: DueDelivery): Json {
  const { id, agent, version, state, output, failure, session, createdAt, endedAt } = run
  const isCut = output !== null && JSON.stringify(output).length > outputLengthMax
  return {
    type: `run.${state}`,
    timestamp: (endedAt ?? createdAt).toISOString(),
    data: {
      runId: id,
      agent,
      version,
      state,
      output: isCut ? null : output,
      ...(isCut && { outputLeftOut: true }),
      failure: failure && { message: storableText(failure.message), retryable: failure.retryable, ...(failure.code !== undefined && { code: failure.code }) },
      session,
      createdAt: createdAt.toISOString(),
      endedAt: endedAt?.toISOString() ?? null,
    },
  }
}

/** Throws for destinations that could never be told, when the run is started and not when it has ended. */
export function assertDestinations(destinations: readonly (Destination | ChannelReply)[], { secret }: DeliveriesOptions['webhooks']): void {
  if (secret === undefined && destinations.some(({ type }) => type === 'webhook'))
    throw new AppError('invalid', `destinations: ${noSecret} Set it to \`whsec_\` and the base64 of 32 random bytes.`)
}
