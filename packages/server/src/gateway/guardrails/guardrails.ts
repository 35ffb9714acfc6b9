/** Hooks before and after model calls: kept in the database, read from memory. */
import type { GuardDecision, Guardrail, listGuardDecisions } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../db/index.ts'
import { AppError, type Log, type Service, loop, monotonicMs } from '../../kernel/index.ts'
import { readableSchema } from '../shape.ts'
import { type GuardrailSpec, deleteGuardrail, deleteOldDecisions, insertDecisions, listDecisions, listGuardrails, replaceGuardrail } from './guardrail-store.ts'
import { type GuardedCall, type Guarding, openGuarding } from './guarding.ts'
import type { Moderate } from './moderate.ts'
import { openPdfReader } from './pdf.ts'

export type Guardrails = Service & {
  list(tenantId: string): Promise<Guardrail[]>
  /** Throws `not_found`. */
  get(tenantId: string, name: string): Promise<Guardrail>
  /** Throws `invalid` with what is wrong in it. */
  set(tenantId: string, name: string, spec: GuardrailSpec): Promise<Guardrail>
  delete(tenantId: string, name: string): Promise<Guardrail>
  /** `agents`: only of these. */
  decisions(
    tenantId: string,
    filter: z.output<(typeof listGuardDecisions)['input']>,
    agents?: readonly string[],
  ): Promise<{ items: GuardDecision[]; next: string | null }>
  /** Undefined when none holds for this call. Rejects when it cannot be known: then nothing may be called. */
  begin(call: GuardedCall): Promise<Guarding | undefined>
}

const guardrailsMax = 100
/** How long a change that another server made may go unnoticed. */
const cacheMs = 1_000
const tenantsMax = 10_000
const keptDays = 90
const sweepMs = 600_000
const sweepMax = 1_000

export function openGuardrails({ db, log, moderate }: { db: Db; log: Log; moderate: Moderate }): Guardrails {
  const pdfs = openPdfReader()
  const cache = new Map<string, { all: Promise<readonly Guardrail[]>; until: number }>()

  function read(tenantId: string): Promise<readonly Guardrail[]> {
    const known = cache.get(tenantId)
    if (known && known.until > monotonicMs()) return known.all
    const all = listGuardrails(db.forTenant(tenantId), guardrailsMax)
    const entry = { all, until: monotonicMs() + cacheMs }
    all.catch(() => cache.get(tenantId) === entry && cache.delete(tenantId)) // Whoever asked hears of it; the next one asks again.
    if (cache.size >= tenantsMax) cache.clear()
    cache.set(tenantId, entry)
    return all
  }

  const sweeps = loop({
    everyMs: sweepMs,
    onError: (error) => log.warn('old decisions of guards were not deleted; it is tried again', { error }),
    work: async () => ((await deleteOldDecisions(db, keptDays, sweepMax)) === sweepMax ? 0 : sweepMs),
  })

  return {
    list: async (tenantId) => listGuardrails(db.forTenant(tenantId), guardrailsMax),
    async get(tenantId, name) {
      // Not what is remembered for calls: whoever edits it has to see what another server wrote a moment ago.
      const found = (await listGuardrails(db.forTenant(tenantId), guardrailsMax)).find((guardrail) => guardrail.name === name)
      if (!found) throw new AppError('not_found', `No guardrail ${name}.`)
      return found
    },
    async set(tenantId, name, spec) {
      check(spec)
      const guardrail = await replaceGuardrail(db.forTenant(tenantId), name, spec, guardrailsMax)
      if (!guardrail) throw new AppError('over_limit', `There are ${guardrailsMax} guardrails already. Delete one that is not used.`)
      cache.delete(tenantId)
      log.info('guardrail set', { tenantId, name, guards: spec.guards.map(({ type }) => type) })
      return guardrail
    },
    async delete(tenantId, name) {
      const guardrail = await deleteGuardrail(db.forTenant(tenantId), name)
      if (!guardrail) throw new AppError('not_found', `No guardrail ${name}.`)
      cache.delete(tenantId)
      log.info('guardrail deleted', { tenantId, name })
      return guardrail
    },
    async decisions(tenantId, { limit, cursor, guardrail, action, request, run }, agents) {
      if (cursor !== undefined && !/^[0-9a-f-]{36}$/.test(cursor)) throw new AppError('invalid', 'cursor: must be what the page before gave as `next`.')
      const filter = { limit: limit + 1, before: cursor, guardrail, action, requestId: request, runId: run, agents }
      const found = await listDecisions(db.forTenant(tenantId), filter)
      const items = found.slice(0, limit)
      return { items, next: found.length > limit ? (items.at(-1)?.id ?? null) : null }
    },
    async begin(call) {
      const fitting = (await read(call.tenantId)).filter(
        ({ route, namespace, agent }) =>
          (route === undefined || route === call.model) &&
          (namespace === undefined || namespace === call.namespace) &&
          (agent === undefined || agent === call.agent),
      )
      if (fitting.length === 0) return undefined
      return openGuarding(call, fitting, {
        ...{ moderate, readPdf: pdfs.read },
        record: (decisions) => insertDecisions(db.forTenant(call.tenantId), decisions),
      })
    },
    start: sweeps.start,
    async stop() {
      await Promise.all([sweeps.stop(), pdfs.stop()])
    },
  }
}

function check({ guards }: GuardrailSpec): void {
  for (const [i, guard] of guards.entries()) {
    if (guard.type === 'size' && guard.inputBytesMax === undefined && guard.inputTokensMax === undefined && guard.outputTokensMax === undefined)
      throw new AppError('invalid', `guards.${i}: a guard of size needs inputBytesMax, inputTokensMax or outputTokensMax.`)
    if (guard.type === 'schema' && !readableSchema(guard.schema))
      throw new AppError('invalid', `guards.${i}.schema: is no JSON Schema that can be checked here.`)
  }
}
