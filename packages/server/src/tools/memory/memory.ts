/** Long-term memory: what an agent keeps of whoever asks it, and finds again in later runs. */
import type { Json, Memory, serverTools } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { type Caller, whoIs } from '../../identity/index.ts'
import { AppError, type Log, newId } from '../../kernel/index.ts'
import { failed } from '../failures.ts'
import * as store from './memory-store.ts'
import { nearest, toVector } from './vectors.ts'
import { queryOf, wordsOf } from './words.ts'

/** In which run, and for whom. */
export type MemoryUser = {
  tenantId: string
  agent: string
  subjectId: string
  runId: string
  /** Of the run and step: the same when the step executes again. */
  key: string
  /** Whose words the run has read so far. */
  labels: readonly string[]
  signal: AbortSignal
}
/** Texts to vectors, by a model of the operator's choice. */
export type Embed = (texts: string[], user: MemoryUser) => Promise<number[][]>
export type Embedding = { model: string; embed: Embed }

export type MemoryService = {
  list(caller: Caller, page: { agent?: string | undefined; cursor?: string | undefined; limit: number }): Promise<{ items: Memory[]; next: string | null }>
  get(caller: Caller, id: string): Promise<Memory>
  erase(caller: Caller, id: string): Promise<{ id: string }>
  eraseAll(caller: Caller, of: { agent?: string | undefined; subject?: string | undefined }): Promise<{ count: number }>
}

export type MemoryTools = {
  remember(input: z.output<typeof serverTools.remember.input>, user: MemoryUser): Promise<Json>
  recall(input: z.output<typeof serverTools.recall.input>, user: MemoryUser): Promise<{ output: Json; labels: string[] }>
}

/** Of one subject for one agent: what the search looks through. */
const memoriesMax = 1_000
/** A place further down in one list counts that much less: the usual constant of reciprocal rank fusion. */
const fusion = 60

export function openMemory({ db, log, embedding, max = memoriesMax }: { db: Db; log: Log; embedding?: Embedding | undefined; max?: number }): MemoryTools & {
  service: MemoryService
} {
  /** Undefined without a model. A model that is away takes nothing from what words can do. */
  async function embed(text: string, user: MemoryUser): Promise<store.Vector | undefined> {
    if (!embedding) return undefined
    try {
      const [numbers] = await embedding.embed([text], user)
      return numbers && { embedding: toVector(numbers), model: embedding.model }
    } catch (error) {
      if (user.signal.aborted) throw error
      log.warn('a memory is searched by words alone, since its embedding could not be had', { error, runId: user.runId })
      return undefined
    }
  }

  const tools: MemoryTools = {
    async remember({ text, kind, name = null }, user) {
      const { tenantId, agent, key: madeBy, runId } = user
      if (name !== null && kind !== 'fact') throw failed('invalid', 'Only a fact has a name.')
      const vector = await embed(text, user)
      const made = await store.asSubject(db, user, async (tx, subjectId) => {
        await store.lockSubject(tx, { tenantId, subjectId })
        const known = await store.findByMaker(tx, madeBy)
        if (known) return known
        if (name !== null) await store.deleteNamed(tx, { subjectId, agent, name })
        if ((await store.countMemories(tx, { subjectId, agent })) >= max && !(await store.deleteOldestEpisode(tx, { subjectId, agent })))
          throw failed('over_limit', `${max} facts are kept already. Replace one by its name, or ask the person to erase some: longhaul memory list.`)
        const memory = { id: newId(), agent, kind, name, text, labels: [...user.labels], runId, madeBy, words: wordsOf(text), vector }
        return store.insertMemory(tx, subjectId, memory)
      })
      return { id: made.id, kept: made.text }
    },
    async recall({ query, count }, user) {
      const { agent } = user
      const vector = query.trim() === '' ? undefined : await embed(query, user)
      const found = await store.asSubject(db, user, async (tx, subjectId) => {
        const of = { subjectId, agent }
        const byWords = query.trim() === '' ? await store.listNewestIds(tx, of, count) : await store.searchWords(tx, of, queryOf(query), count * 2)
        const byMeaning = vector ? nearest(vector.embedding, await store.listVectors(tx, of, vector.model), count * 2) : []
        const ids = fused([byWords, byMeaning]).slice(0, count)
        const memories = new Map((await store.recallMemories(tx, subjectId, ids)).map((memory) => [memory.id, memory]))
        return ids.flatMap((id) => memories.get(id) ?? [])
      })
      const output = found.map(({ id, kind, name, text, createdAt }) => ({ id, kind, ...(name !== null && { name }), text, since: createdAt }))
      return { output, labels: [...new Set(found.flatMap(({ labels }) => labels))] }
    },
  }

  const service: MemoryService = {
    async list(caller, { agent, cursor, limit }) {
      if (cursor !== undefined && !/^[0-9a-f-]{36}$/.test(cursor)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
      const found = await asCaller(caller, (tx, subjectId) =>
        store.listMemories(tx, subjectId, { agents: caller.agents, agent, before: cursor, limit: limit + 1 }),
      )
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
    },
    async get(caller, id) {
      const found = await asCaller(caller, (tx, subjectId) => store.findMemory(tx, subjectId, caller.agents, id))
      if (!found) throw missing(id)
      return found
    },
    async erase(caller, id) {
      const count = await asCaller(caller, (tx, subjectId) => store.deleteMemories(tx, subjectId, { agents: caller.agents, id, who: whoIs(caller) }))
      if (count === 0) throw missing(id)
      return { id }
    },
    async eraseAll(caller, { agent, subject: given = caller.keyId }) {
      if (given !== caller.keyId && !caller.permissions.includes('keys:manage'))
        throw new AppError('forbidden', 'What is remembered of another key can be erased by whoever may manage keys: this key lacks keys:manage.')
      const subject = { tenantId: caller.tenantId, subjectId: given }
      return {
        count: await store.asSubject(db, subject, (tx, subjectId) => store.deleteMemories(tx, subjectId, { agents: caller.agents, agent, who: whoIs(caller) })),
      }
    },
  }
  const asCaller = <Result>({ tenantId, keyId }: Caller, work: Parameters<typeof store.asSubject<Result>>[2]) =>
    store.asSubject(db, { tenantId, subjectId: keyId }, work)

  return { ...tools, service }
}

const missing = (id: string) => new AppError('not_found', `No memory ${id} of yours.`)

/** Reciprocal rank fusion: what stands high in one of the lists, or in both. */
function fused(lists: readonly (readonly string[])[]): string[] {
  const scores = new Map<string, number>()
  for (const list of lists) for (const [at, id] of list.entries()) scores.set(id, (scores.get(id) ?? 0) + 1 / (fusion + at))
  return [...scores].toSorted(([, one], [, other]) => other - one).map(([id]) => id)
}
