/** Answers to what was asked in other words: found by vectors, within a tenant and among requests that are otherwise the same, past a gate on words. */
import type { Db } from '../../db/index.ts'
import { type Log, likenessTo, toUnitVector } from '../../kernel/index.ts'
import type { Embedder } from '../embed.ts'
import type { Attribution } from '../money/index.ts'
import { mayMeanTheSame } from './last-words.ts'
import type { SimilarPlan } from './plan.ts'
import { listSimilar, replaceSimilar } from './similar-store.ts'

/** `vector`: of the words that were looked for, so that they need not be embedded again. */
export type Near = { vector: Buffer; found: { key: Buffer; likeness: number } | undefined }

export type Similar = {
  /** Embeds the words and looks. Undefined when they could not be embedded, or nobody could be asked: never rejects. */
  find(plan: SimilarPlan, account: Attribution): Promise<Near | undefined>
  /** The answer of this key is found by these words from now on. Never rejects. */
  keep(plan: SimilarPlan, account: Attribution, kept: { key: Buffer; ttlMs: number; vector: Buffer | undefined }): Promise<void>
}

/** Of one scope, the latest: each is 6 KB to read. */
const candidatesMax = 200
const embedMsMax = 10_000

export function openSimilar({ db, embed, log }: { db: Db; embed: Embedder; log: Log }): Similar {
  async function vectorOf({ text, embedding }: SimilarPlan, account: Attribution): Promise<Buffer | undefined> {
    const [numbers = []] = await embed(embedding, [text], { account, signal: AbortSignal.timeout(embedMsMax) })
    return toUnitVector(numbers)
  }

  return {
    async find(plan, account) {
      try {
        const vector = await vectorOf(plan, account)
        if (!vector) return undefined
        const candidates = await listSimilar(db.forTenant(account.tenantId), { scope: plan.scope, model: plan.embedding, limit: candidatesMax })
        const likenessOf = likenessTo(vector)
        const best = candidates
          .map(({ key, text, embedding }) => ({ key, text, likeness: likenessOf(embedding) ?? -1 }))
          .filter(({ likeness, text }) => likeness >= plan.threshold && mayMeanTheSame(plan.text, text))
          .toSorted((one, other) => other.likeness - one.likeness)[0]
        return { vector, found: best && { key: best.key, likeness: best.likeness } }
      } catch (error) {
        log.warn('similar answers could not be looked for; a model is asked', { tenantId: account.tenantId, model: plan.embedding, error })
        return undefined
      }
    },
    async keep(plan, account, { key, ttlMs, vector }) {
      try {
        const embedding = vector ?? (await vectorOf(plan, account))
        if (embedding)
          await replaceSimilar(db.forTenant(account.tenantId), { key, ttlMs, embedding, scope: plan.scope, model: plan.embedding, text: plan.text })
      } catch (error) {
        log.warn('an answer was not kept for other words', { tenantId: account.tenantId, model: plan.embedding, error })
      }
    },
  }
}
