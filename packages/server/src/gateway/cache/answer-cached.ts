/** A call that may be answered with what another one was answered. */
import type { Cancellation } from '../../kernel/index.ts'
import type { Client } from '../faces/client.ts'
import { refuse } from '../faces/request-body.ts'
import type { KeptAnswer } from './answer-store.ts'
import type { Answers } from './answers.ts'
import type { Attribution } from '../money/index.ts'
import type { CachePlan } from './plan.ts'
import { record } from './recording.ts'
import type { Near, Similar } from './similar.ts'

type Cached = {
  plan: CachePlan
  answers: Answers
  similar: Similar | undefined
  tenantId: string
  /** Whose embeddings they are, where similar words are looked for. */
  account: Attribution
  client: Client
  requestId: string
  /** Makes the call. Resolves with the model whose answer may be kept, or with undefined when it is none to keep. */
  call(client: Client): Promise<string | undefined>
}

/** Resolves with the kept answer that was sent, or undefined when the call was made. */
export async function answerCached(cached: Cached): Promise<KeptAnswer | undefined> {
  const { plan, answers, tenantId, client } = cached
  if (!plan.mayRead) return void (await callAndKeep(cached))
  const kept = await answers.find(tenantId, plan.key)
  if (kept) return replay(kept, cached)
  let isMine = false
  const call = async () => {
    isMine = true
    const meanwhile = answers.recall(tenantId, plan.key) // The one before us may have ended while we asked the database.
    if (meanwhile) return replay(meanwhile, cached)
    const near = plan.similar && (await cached.similar?.find(plan.similar, cached.account))
    const alike = near?.found && (await answers.find(tenantId, near.found.key))
    return alike ? replay(alike, cached, near.found) : void (await callAndKeep(cached, near))
  }
  // Several who ask the same at once wait for the first of them, once: if that one fails, they do not fail one after the other.
  const mine = await Promise.race([answers.alone(tenantId, plan.key, call), gone(client.signal, () => isMine)])
  if (isMine) return mine
  const made = await answers.find(tenantId, plan.key)
  return made ? replay(made, cached) : void (await callAndKeep(cached))
}

async function callAndKeep({ plan, answers, similar, tenantId, account, client, call }: Cached, near?: Near): Promise<void> {
  const recording = record(client)
  const model = await call(recording.client)
  const taken = model === undefined || client.signal.aborted ? undefined : recording.taken()
  if (model === undefined || !taken) return
  await answers.keep(tenantId, { key: plan.key, ttlMs: plan.ttlMs, model, ...taken })
  if (plan.similar) await similar?.keep(plan.similar, account, { key: plan.key, ttlMs: plan.ttlMs, vector: near?.vector })
}

function replay(kept: KeptAnswer, { client, requestId }: Cached, similar?: Near['found']): KeptAnswer {
  client.begin(200, {
    ...kept.headers,
    'content-length': kept.body.length,
    'x-request-id': requestId,
    'x-longhaul-model': encodeURI(kept.model),
    'x-longhaul-cache': similar ? 'similar' : 'hit',
    ...(similar && { 'x-longhaul-similarity': similar.likeness.toFixed(3) }),
    age: Math.max(0, Math.floor(kept.ageMs / 1_000)),
  })
  client.end(kept.body)
  return kept
}

/** Rejects when a caller leaves that only waits. One whose own call is under way ends it itself. */
function gone(signal: Cancellation, isMine: () => boolean): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => !isMine() && reject(refuse('aborted', 'The caller left.'))))
}
