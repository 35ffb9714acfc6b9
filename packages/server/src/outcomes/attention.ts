/** The one place for what will not go on by itself, and what to do about it, one by one or many at once. */
import type { AttentionItem, ForkChanges, Run } from '@longhaul/protocol'
import type { Audience, Db } from '../db/index.ts'
import type { Engine, FoundVersion, WhyNotStart } from '../engine/index.ts'
import { AppError } from '../kernel/index.ts'
import { type AttentionFilter, changedAttention, dismissRun, findFailedRun, findStop, listAttention } from './attention-store.ts'
import { dismissDelivery, listDeliveries, resetDelivery } from './delivery-store.ts'

export type Picked = Pick<AttentionFilter, 'ids' | 'agent' | 'reason'>
export type AttentionOutcome = { done: { id: string; runId: string }[]; left: { id: string; problem: string }[] }

export type HowForked = { changes: ForkChanges; isLive: boolean }
type ForkOf = HowForked & { runId: string; op?: string | undefined; idempotencyKey?: string | undefined }

/** `Caller` is whatever `forkRun` must know of who asks. */
export type AttentionOptions<Caller extends Audience> = {
  db: Db
  engine: Pick<Engine, 'startRun' | 'retry'>
  findVersion(tenantId: string, agent: string, askerId?: string): Promise<FoundVersion>
  /** Asked before a failed run is started anew. Absent: all may. */
  whyNotStart?: WhyNotStart
  forkRun(caller: Caller, fork: ForkOf): Promise<Run>
}

const pickedMax = 200

export function openAttention<Caller extends Audience>({ db, engine, findVersion, whyNotStart, forkRun }: AttentionOptions<Caller>) {
  /** Returns the run that goes on. Throws an `AppError` that says why it does not. */
  async function retryOne(audience: Audience, by: string, { id, kind, reason, runId }: AttentionItem): Promise<string> {
    if (kind === 'delivery') {
      if (await resetDelivery(db, audience.tenantId, id)) return runId
      throw new AppError('conflict', 'It has not failed any more.')
    }
    if (reason !== 'failed') {
      await engine.retry(audience, id, by)
      return id
    }
    const failed = await findFailedRun(db, audience, id)
    if (!failed) throw new AppError('conflict', 'It has not failed any more.')
    const found = await findVersion(failed.tenantId, failed.agent, failed.asker.id)
    if ('problem' in found) throw new AppError('conflict', found.problem)
    const { session, destinations, ...start } = failed
    const why = await whyNotStart?.({ ...start, namespace: 'default', startedBy: { type: 'retry', name: start.agent } })
    if (why !== undefined) throw new AppError('forbidden', why)
    // One failed run is started anew once, however often and by how many it is asked for.
    const idempotencyKey = `retry of ${id}`
    const run = await engine.startRun({
      ...start,
      ...found,
      destinations: destinations ?? [],
      idempotencyKey,
      ...(session !== null && { session }),
    })
    await dismissRun(db, audience, id)
    return run.id
  }

  async function forkOne(caller: Caller, { kind, reason, runId }: AttentionItem, { changes, isLive }: HowForked): Promise<string> {
    if (kind === 'delivery') throw new AppError('conflict', 'A delivery has no steps to go on from: retry or dismiss it.')
    // What two people ask for at the same time must not be written twice.
    const idempotencyKey = isLive ? `live fork of ${runId}` : undefined
    const run = await forkRun(caller, { runId, op: await findStop(db, caller, runId), changes, isLive, idempotencyKey })
    if (isLive && reason === 'failed') await dismissRun(db, caller, runId)
    return run.id
  }

  async function dismissOne(audience: Audience, { id, kind, reason, runId }: AttentionItem): Promise<string> {
    if (kind === 'run' && reason !== 'failed') throw new AppError('conflict', 'It still waits: retry, decide or cancel it.')
    const isDone = kind === 'delivery' ? await dismissDelivery(db, audience.tenantId, id) : await dismissRun(db, audience, id)
    if (!isDone) throw new AppError('conflict', 'It has not failed any more.')
    return runId
  }

  /** What of `picked` is not there is left as well. */
  async function each(audience: Audience, picked: Picked, act: (item: AttentionItem) => Promise<string>): Promise<AttentionOutcome> {
    const items = await listAttention(db, audience, { ...picked, limit: pickedMax })
    const outcome: AttentionOutcome = { done: [], left: [] }
    for (const item of items) {
      try {
        outcome.done.push({ id: item.id, runId: await act(item) })
      } catch (error) {
        if (!(error instanceof AppError) || error.code === 'unavailable' || error.code === 'internal') throw error
        outcome.left.push({ id: item.id, problem: error.message })
      }
    }
    const found = new Set(items.map(({ id }) => id))
    for (const id of picked.ids ?? []) if (!found.has(id)) outcome.left.push({ id, problem: 'Nothing of this id needs attention.' })
    return outcome
  }

  return {
    list: (audience: Audience, filter: AttentionFilter) => listAttention(db, audience, filter),
    changes: (audience: Audience, page: { cursor: string | undefined; limit: number }, filter: Picked) =>
      changedAttention(db.forTenant(audience.tenantId), audience, page, filter),
    deliveries: (audience: Audience, filter: Parameters<typeof listDeliveries>[2]) => listDeliveries(db, audience, filter),
    retry: (audience: Audience, by: string, picked: Picked) => each(audience, picked, (item) => retryOne(audience, by, item)),
    fork: (caller: Caller, picked: Picked, how: HowForked) => each(caller, picked, (item) => forkOne(caller, item, how)),
    dismiss: (audience: Audience, picked: Picked) => each(audience, picked, (item) => dismissOne(audience, item)),
  }
}
export type Attention<Caller extends Audience> = ReturnType<typeof openAttention<Caller>>
