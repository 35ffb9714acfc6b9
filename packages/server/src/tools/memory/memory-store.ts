import type { Memory } from '@longhaul/protocol'
import { type AuditNote, type Db, type Sql, type TenantTx, noteAudit, sql } from '../../db/index.ts'
import type { Words } from './words.ts'

export type Subject = { tenantId: string; subjectId: string }
export type Vector = { embedding: Buffer; model: string }
export type NewMemory = Pick<Memory, 'id' | 'agent' | 'kind' | 'name' | 'text' | 'labels' | 'runId'> & {
  madeBy: string
  words: Words
  vector: Vector | undefined
}

type Row = Omit<Memory, 'createdAt' | 'recalledAt'> & { createdAt: Date; recalledAt: Date | null }
const columns = sql`id, agent, kind, name, text, labels, run_id as "runId", created_at as "createdAt", recalled_at as "recalledAt"`
const toMemory = (row: Row): Memory => ({ ...row, createdAt: row.createdAt.toISOString(), recalledAt: row.recalledAt?.toISOString() ?? null })

/** Whatever `work` asks for: there are no rows but those of this subject. A key that was rotated is the same subject as the one before it: the id that `work` gets. */
export function asSubject<Result>(
  db: Db,
  { tenantId, subjectId: askerId }: Subject,
  work: (tx: TenantTx, subjectId: string) => Promise<Result>,
): Promise<Result> {
  return db.forTenant(tenantId).transaction(async (tx) => {
    const subjectId = await subjectOf(tx, askerId)
    await tx.rows(sql`select set_config('longhaul.subject', ${subjectId}, true)`)
    return work(tx, subjectId)
  })
}

async function subjectOf(tx: TenantTx, askerId: string): Promise<string> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(askerId)) return askerId // No key has such an id.
  const [key] = await tx.rows<{ subjectId: string | null }>(
    sql`select subject_id as "subjectId" from keys where tenant_id = ${tx.tenantId} and id = ${askerId}`,
  )
  return key?.subjectId ?? askerId
}

/** Those who remember for the same subject do it one after the other. */
export async function lockSubject(tx: TenantTx, { tenantId, subjectId }: Subject): Promise<void> {
  await tx.rows(sql`select pg_advisory_xact_lock(hashtextextended(${`memories ${tenantId}/${subjectId}`}, 0))`)
}

export async function findByMaker(tx: TenantTx, madeBy: string): Promise<Memory | undefined> {
  const [row] = await tx.rows<Row>(sql`select ${columns} from memories where tenant_id = ${tx.tenantId} and made_by = ${madeBy}`)
  return row && toMemory(row)
}

export async function deleteNamed(tx: TenantTx, { subjectId, agent, name }: { subjectId: string; agent: string; name: string }): Promise<void> {
  await tx.rows(sql`delete from memories where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and agent = ${agent} and name = ${name}`)
}

export async function countMemories(tx: TenantTx, { subjectId, agent }: { subjectId: string; agent: string }): Promise<number> {
  const [row] = await tx.rows<{ count: number }>(
    sql`select count(*)::int as count from memories where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and agent = ${agent}`,
  )
  return row?.count ?? 0
}

/** False when there is none. */
export async function deleteOldestEpisode(tx: TenantTx, { subjectId, agent }: { subjectId: string; agent: string }): Promise<boolean> {
  const rows = await tx.rows(sql`
    delete from memories where tenant_id = ${tx.tenantId} and id = (
      select id from memories where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and agent = ${agent} and kind = 'episode' order by id limit 1)
    returning id`)
  return rows.length > 0
}

export async function insertMemory(tx: TenantTx, subjectId: string, memory: NewMemory): Promise<Memory> {
  const { id, agent, kind, name, text, labels, runId, madeBy, words, vector } = memory
  const [row] = await tx.rows<Row>(sql`
    insert into memories (tenant_id, id, subject_id, agent, kind, name, text, words, labels, run_id, made_by, embedding, embedding_model)
    values (${tx.tenantId}, ${id}, ${subjectId}, ${agent}, ${kind}, ${name}, ${text},
      to_tsvector('english', ${words.spaced.join(' ')}) || array_to_tsvector(${words.pairs}::text[]),
      ${JSON.stringify(labels)}, ${runId}, ${madeBy}, ${vector?.embedding ?? null}, ${vector?.model ?? null})
    returning ${columns}`)
  return toMemory(row!) // An insert that did not fail returns its row.
}

/** By how well the words fit, the best first. */
export async function searchWords(tx: TenantTx, of: { subjectId: string; agent: string }, { spaced, pairs }: Words, limit: number): Promise<string[]> {
  const asked = sql`(to_tsquery('english', ${spaced.join(' | ')}) || ${pairs.map((pair) => `'${pair}'`).join(' | ')}::tsquery)`
  const rows = await tx.rows<{ id: string }>(sql`
    select id from memories
    where tenant_id = ${tx.tenantId} and subject_id = ${of.subjectId} and agent = ${of.agent} and words @@ ${asked}
    order by ts_rank(words, ${asked}) desc, id desc limit ${limit}`)
  return rows.map(({ id }) => id)
}

export async function listVectors(tx: TenantTx, of: { subjectId: string; agent: string }, model: string): Promise<{ id: string; embedding: Buffer }[]> {
  return tx.rows(sql`
    select id, embedding from memories
    where tenant_id = ${tx.tenantId} and subject_id = ${of.subjectId} and agent = ${of.agent} and embedding_model = ${model}`)
}

export async function listNewestIds(tx: TenantTx, of: { subjectId: string; agent: string }, limit: number): Promise<string[]> {
  const rows = await tx.rows<{ id: string }>(sql`
    select id from memories where tenant_id = ${tx.tenantId} and subject_id = ${of.subjectId} and agent = ${of.agent} order by id desc limit ${limit}`)
  return rows.map(({ id }) => id)
}

/** In no order. Notes that they were recalled. */
export async function recallMemories(tx: TenantTx, subjectId: string, ids: string[]): Promise<Memory[]> {
  const rows = await tx.rows<Row>(sql`
    update memories set recalled_at = clock_timestamp()
    where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and id = any(${ids}::uuid[])
    returning ${columns}`)
  return rows.map(toMemory)
}

type Page = { agents: readonly string[] | undefined; agent: string | undefined; before: string | undefined; limit: number }

export async function listMemories(tx: TenantTx, subjectId: string, { agents, agent, before, limit }: Page): Promise<Memory[]> {
  const rows = await tx.rows<Row>(sql`
    select ${columns} from memories
    where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and ${isOf(agents)}
      and (${agent ?? null}::text is null or agent = ${agent ?? null}) and (${before ?? null}::uuid is null or id < ${before ?? null}::uuid)
    order by id desc limit ${limit}`)
  return rows.map(toMemory)
}

export async function findMemory(tx: TenantTx, subjectId: string, agents: readonly string[] | undefined, id: string): Promise<Memory | undefined> {
  const [row] = await tx.rows<Row>(
    sql`select ${columns} from memories where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and ${isOf(agents)} and id = ${id}`,
  )
  return row && toMemory(row)
}

export async function deleteMemories(
  tx: TenantTx,
  subjectId: string,
  { agents, agent, id, who }: { agents: readonly string[] | undefined; agent?: string | undefined; id?: string | undefined; who: AuditNote['who'] },
): Promise<number> {
  const rows = await tx.rows(sql`
    delete from memories
    where tenant_id = ${tx.tenantId} and subject_id = ${subjectId} and ${isOf(agents)}
      and (${agent ?? null}::text is null or agent = ${agent ?? null}) and (${id ?? null}::uuid is null or id = ${id ?? null}::uuid)
    returning id`)
  if (rows.length > 0 || id === undefined)
    await noteAudit(tx, { who, action: id === undefined ? 'memory.eraseAll' : 'memory.erase', target: id ?? subjectId, detail: { count: rows.length, agent } })
  return rows.length
}

const isOf = (agents: readonly string[] | undefined): Sql => (agents ? sql`agent = any(${agents})` : sql`true`)
