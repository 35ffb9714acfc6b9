import { type Connection, type Db, incarnation, sql } from '../db/index.ts'
import { shareNodesLock } from './stop-store.ts'

export async function readIncarnation(connection: Connection): Promise<string> {
  const [row] = await connection.query<{ incarnation: string }>(sql`select ${incarnation} as incarnation`)
  return row?.incarnation ?? ''
}

export async function insertNode(
  connection: Connection,
  node: { id: string; incarnation: string; place: string; pid: number; leaseMs: number },
): Promise<number> {
  const [row] = await connection.query<{ nowMs: number }>(sql`
    with unchanged as materialized (select ${shareNodesLock})
    insert into nodes (id, incarnation, place, pid, lease_until)
    select ${node.id}, ${node.incarnation}, ${node.place}, ${node.pid}, clock_timestamp() + ${node.leaseMs} * interval '1 ms' from unchanged
    returning extract(epoch from clock_timestamp())::double precision * 1000 as "nowMs"`)
  return Number(row?.nowMs)
}

/** Undefined when the node has been declared dead. */
export async function renewLease(connection: Connection, nodeId: string, leaseMs: number): Promise<{ nowMs: number } | undefined> {
  const [row] = await connection.query<{ nowMs: number }>(sql`
    update nodes set lease_until = clock_timestamp() + ${leaseMs} * interval '1 ms'
    where id = ${nodeId} and not is_dead
    returning extract(epoch from clock_timestamp())::double precision * 1000 as "nowMs"`)
  return row
}

/** Nodes of this place whose lease still runs: a program that was killed a moment ago and starts again need not wait for it. */
export async function nodesOfPlace(db: Db, place: string): Promise<{ id: string; pid: number }[]> {
  return db.rows(sql`select id, pid from nodes where place = ${place} and not is_dead limit 1000`)
}

/**
 * Declares nodes dead whose lease ran out, or those of `ids`, and puts their runs up for anybody to claim. Raising the fence in the
 * same transaction is what keeps a node that only seems dead from writing: its next flush finds another fence than it knows.
 */
export async function buryNodes(db: Db, ids?: string[]): Promise<{ nodeIds: string[]; runCount: number }> {
  return db.transaction(async (tx) => {
    const dead = await tx.rows<{ id: string }>(sql`
      with found as materialized (
        select id from nodes
        where not is_dead and (${ids ? sql`id = any(${ids})` : sql`lease_until < clock_timestamp()`})
        limit 100
        for update skip locked
      )
      update nodes set is_dead = true, fence = fence + 1 from found where nodes.id = found.id returning nodes.id`)
    // Of all dead nodes, not of these alone: a claim that began before the burial and was committed after it was not seen by it.
    const runs = await tx.rows(sql`
      update runs set node_id = null, due_at = clock_timestamp()
      where node_id is not null and not exists (select from nodes where nodes.id = runs.node_id and not nodes.is_dead) returning id`)
    return { nodeIds: dead.map(({ id }) => id), runCount: runs.length }
  })
}

/**
 * Puts up the runs that the database says are this node's and that it does not have: the answer to their claim was lost. The fence
 * is raised with them, since one of them may be on its way into this process after all; the journal then finds out which are not its own.
 */
export async function releaseStrays(db: Db, nodeId: string, known: string[]): Promise<number> {
  const isStray = sql`node_id = ${nodeId} and not (id = any(${known}))`
  return db.transaction(async (tx) => {
    if ((await tx.rows(sql`select from runs where ${isStray} limit 1`)).length === 0) return 0
    await tx.rows(sql`update nodes set fence = fence + 1 where id = ${nodeId}`)
    return (await tx.rows(sql`update runs set node_id = null, due_at = clock_timestamp() where ${isStray} returning id`)).length
  })
}

/** Says goodbye: the node's runs are anybody's at once. Old rows of nodes are removed on the way. */
export async function retireNode(db: Db, nodeId: string): Promise<void> {
  await buryNodes(db, [nodeId])
  await db.rows(sql`delete from nodes where is_dead and lease_until < clock_timestamp() - interval '1 day'`)
}
