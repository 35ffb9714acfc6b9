/** A call that may be answered with what another one was answered. */
import type { Cancellation } from '../../kernel/index.ts'
import type { Client } from '../faces/client.ts'
import { refuse } from '../faces/request-body.ts'
import type { KeptAnswer } from './answer-store.ts'
import type { Answers } from './answers.ts'
import type { CachePlan } from './plan.ts'
import { record } from './recording.ts'

type Cached = {
  plan: CachePlan
  answers: Answers
  tenantId: string
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
    return meanwhile ? replay(meanwhile, cached) : void (await callAndKeep(cached))
  }
  // Several who ask the same at once wait for the first of them, once: if that one fails, they do not fail one after the other.
  const mine = await Promise.race([answers.alone(tenantId, plan.key, call), gone(client.signal, () => isMine)])
  if (isMine) return mine
  const made = await answers.find(tenantId, plan.key)
  return made ? replay(made, cached) : void (await callAndKeep(cached))
}

async function callAndKeep({ plan, answers, tenantId, client, call }: Cached): Promise<void> {
  const recording = record(client)
  const model = await call(recording.client)
  const taken = model === undefined || client.signal.aborted ? undefined : recording.taken()
  if (model !== undefined && taken) await answers.keep(tenantId, { key: plan.key, ttlMs: plan.ttlMs, model, ...taken })
}

function replay(kept: KeptAnswer, { client, requestId }: Cached): KeptAnswer {
  client.begin(200, {
    ...kept.headers,
    'content-length': kept.body.length,
    'x-request-id': requestId,
    'x-longhaul-model': encodeURI(kept.model),
    'x-longhaul-cache': 'hit',
    age: Math.max(0, Math.floor(kept.ageMs / 1_000)),
  })
  client.end(kept.body)
  return kept
}

/** Rejects when a caller leaves that only waits. One whose own call is under way ends it itself. */
function gone(signal: Cancellation, isMine: () => boolean): Promise<never> {
  return new Promise((_, reject) => signal.addEventListener('abort', () => !isMine() && reject(refuse('aborted', 'The caller left.'))))
}
