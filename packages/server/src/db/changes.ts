/**
 * Following rows as they change: a place in the order of transactions, and the condition for what is after it.
 *
 * Rows carry the number of the transaction that last changed them (`changed_in`). Numbers are given out before commits, so a reader takes rows of
 * transactions below the oldest that is still under way: all of these are over, and none can appear later with a lower number.
 */
import { AppError } from '../kernel/index.ts'
import { incarnation } from './home.ts'
import type { TenantTx } from './db.ts'
import { type Sql, identifier, sql } from './sql.ts'

export type ChangePage<Item> = {
  items: { item: Item; cursor: string }[]
  /** Where to go on. */
  next: string
  /** There are changes already that cannot be read in their order yet: something older is still being committed. */
  isPending: boolean
  /** The cursor was of another life of the database: what changed since cannot be known. It goes on from now. */
  isReset: boolean
}

type Place = { xact: string; id: string; incarnation: string }
const nobody = '00000000-0000-0000-0000-000000000000'

/** Throws `invalid` for what no stream has given out. */
export function placeOf(cursor: string): Place {
  const [, xact, id, found] = /^(\d{1,20})\.([0-9a-f-]{36})\.(\d{1,20}:[0-9A-F]{8})$/.exec(cursor) ?? []
  if (xact === undefined || id === undefined || found === undefined) throw new AppError('invalid', 'The cursor is none that a stream has given.')
  return { xact, id, incarnation: found }
}

const cursorAt = ({ xact, id, incarnation: of }: Place): string => `${xact}.${id}.${of}`

/** A condition on a table that has `changed_in` and `id`. To be read in the order of the two. */
export const isChangedAfter = (after: Place): Sql =>
  sql`(changed_in, id) > (${after.xact}::xid8, ${after.id}::uuid) and changed_in < pg_snapshot_xmin(pg_current_snapshot())`

export type Changed = {
  /** Rows with `id` and `changed_in::text as "changedIn"`, under `isChangedAfter`, in its order, `limit` of them. */
  list(after: Place, limit: number): Sql
  /** The newest `changed_in`, whatever the filter: an expression. */
  newest: Sql
}

/** One page after `cursor`, or without one where it begins now. One statement, so that all it says is of the same moment. What else a row has is for `toItem` to leave out. */
export async function readChanges<Item>(
  db: TenantTx,
  { cursor, limit }: { cursor: string | undefined; limit: number },
  { list, newest }: Changed,
  toItem: (row: never) => Item,
): Promise<ChangePage<Item>> {
  const after = cursor === undefined ? undefined : placeOf(cursor)
  const head = sql`select pg_snapshot_xmin(pg_current_snapshot())::text as "headXact", ${incarnation} as "headIncarnation", (${newest})::text as "headNewest"`
  const rows = await db.rows<{ id: string; changedIn: string | null; headXact: string; headIncarnation: string; headNewest: string | null }>(
    after ? sql`with changed as materialized (${list(after, limit)}) select * from (${head}) as head left join changed on true` : head,
  )
  const [first] = rows
  if (!first) throw new Error('A statement without a condition had no row.')
  const now = { xact: first.headXact, incarnation: first.headIncarnation }
  const next = cursorAt({ ...now, id: nobody })
  if (!after || after.incarnation !== now.incarnation) return { items: [], next, isPending: false, isReset: after !== undefined }
  const items = rows.flatMap(
    (row) =>
      row.changedIn === null // There is none.
        ? []
        : [{ item: toItem(row as never), cursor: cursorAt({ xact: row.changedIn, id: row.id, incarnation: now.incarnation }) }], // Of what `list` reads.
  )
  const last = items.at(-1)
  if (last && items.length === limit) return { items, next: last.cursor, isPending: false, isReset: false }
  return { items, next, isPending: first.headNewest !== null && BigInt(first.headNewest) >= BigInt(now.xact), isReset: false }
}

/** In which transaction something last changed in a tenant's rows: an expression. Only failed deliveries are followed. */
export function newestChange(table: 'runs' | 'approvals' | 'deliveries', tenantId: string): Sql {
  const isFollowed = table === 'deliveries' ? sql`and state = 'failed'` : sql``
  return sql`select changed_in from ${identifier(table)} where tenant_id = ${tenantId} ${isFollowed} order by tenant_id desc, changed_in desc, id desc limit 1`
}

/** Differs from what it was once anything has changed that may be followed. */
export async function readPulse(db: TenantTx): Promise<string> {
  const { tenantId } = db
  const [row] = await db.rows<{ pulse: string }>(
    sql`select concat_ws(' ', (${newestChange('runs', tenantId)}), (${newestChange('approvals', tenantId)}), (${newestChange('deliveries', tenantId)})) as pulse`,
  )
  return row?.pulse ?? ''
}
