/** Where answers are kept: in the database, in Redis, or nowhere but in the memory of each server. */
import type { Db } from '../../db/index.ts'
import type { Log } from '../../kernel/index.ts'
import { type KeptAnswer, deleteAnswers, deleteExpired, findAnswer, replaceAnswer } from './answer-store.ts'
import { deleteExpiredSimilar, deleteSimilar } from './similar-store.ts'

export type NewAnswer = { key: Buffer; ttlMs: number } & Pick<KeptAnswer, 'model' | 'headers' | 'body'>

export type AnswerStore = {
  /** Other servers find here what this one has kept: so memory may be asked for a moment only. */
  isShared: boolean
  find(tenantId: string, key: Buffer): Promise<KeptAnswer | undefined>
  replace(tenantId: string, answer: NewAnswer): Promise<void>
  /** How many there were. */
  clear(tenantId: string): Promise<number>
  /** Deletes some of what has expired, where that does not happen by itself. How many. */
  sweep(limit: number): Promise<number>
  stop(): Promise<void>
}

export const databaseStore = (db: Db): AnswerStore => ({
  isShared: true,
  find: (tenantId, key) => findAnswer(db.forTenant(tenantId), key),
  replace: (tenantId, answer) => replaceAnswer(db.forTenant(tenantId), answer),
  async clear(tenantId) {
    await deleteSimilar(db.forTenant(tenantId))
    return deleteAnswers(db.forTenant(tenantId))
  },
  sweep: async (limit) => Math.max(await deleteExpired(db, limit), await deleteExpiredSimilar(db, limit)),
  async stop() {},
})

/** Answers are where `answers.ts` remembers them, so there is nothing to find. */
export const memoryStore = (db: Db): AnswerStore => ({
  isShared: false,
  find: async () => undefined,
  replace: async () => {},
  async clear(tenantId) {
    await deleteSimilar(db.forTenant(tenantId))
    return 0
  },
  sweep: (limit) => deleteExpiredSimilar(db, limit),
  async stop() {},
})

/** `where`: `database`, `memory`, or the address of a Redis. The client is loaded when it is used. */
export async function openAnswerStore(where: string, { db, log }: { db: Db; log: Log }): Promise<AnswerStore> {
  if (where === 'database') return databaseStore(db)
  if (where === 'memory') return memoryStore(db)
  const { redisStore } = await import('./redis-store.ts')
  const store = redisStore(where, log)
  return {
    ...store,
    async clear(tenantId) {
      await deleteSimilar(db.forTenant(tenantId))
      return store.clear(tenantId)
    },
    sweep: (limit) => deleteExpiredSimilar(db, limit),
  }
}
