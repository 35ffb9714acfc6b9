/** Windows of budgets by the calendar of a time zone, as pieces of SQL. No tables. */
import { type Sql, sql } from '../../db/index.ts'

type At = { per: Sql; at: Sql; timeZone: Sql }

/**
 * When the window of an instant begins and ends. Hours are those that pass: the one that the clock shows twice is two of them. Days, weeks
 * and months begin at the first midnight where the clock shows two, and where it shows none, at what it shows instead.
 */
export const windowOf = ({ per, at, timeZone }: At): { startsAt: Sql; endsAt: Sql } => {
  const local = sql`date_trunc(${per}, ${at} at time zone ${timeZone})`
  const hour = sql`date_trunc('hour', ${at}, ${timeZone})`
  return {
    startsAt: sql`case when ${per} = 'hour' then ${hour} else ${firstOf(local, timeZone)} end`,
    endsAt: sql`case when ${per} = 'hour' then ${hour} + interval '1 hour' else ${firstOf(sql`(${local} + ('1 ' || ${per})::interval)`, timeZone)} end`,
  }
}

/** The database takes the second of two. */
function firstOf(local: Sql, timeZone: Sql): Sql {
  const second = sql`(${local} at time zone ${timeZone})`
  return sql`case when (${second} - interval '1 hour') at time zone ${timeZone} = ${local} then ${second} - interval '1 hour' else ${second} end`
}
