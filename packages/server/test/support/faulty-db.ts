/** The database as it looks when its answers get lost: statements of the journal's connection can be let through, held, cut off before or after they are executed. */
import type { Connection, Db, Query } from '../../src/db/index.ts'
import { AppError } from '../../src/kernel/index.ts'

export type Fault = 'none' | 'lost-before' | 'lost-after' | 'abandoned'
export type FaultyDb = Db & {
  /** What happens to the next flushes, in order. `abandoned`: the answer is given up while PostgreSQL still executes it. */
  faults: Fault[]
  /** Flushes that were abandoned, settled when PostgreSQL has answered them. */
  abandoned: Promise<unknown>[]
  hitCount: number
}

const lost = () => new AppError('unavailable', 'The database is not answering. Nothing was lost; try again.')

export function makeFaulty(db: Db): FaultyDb {
  const faulty: FaultyDb = {
    ...db,
    faults: [],
    abandoned: [],
    hitCount: 0,
    async connection(name, options) {
      const real = await db.connection(name, options)
      if (name !== 'journal') return real
      const tellLost: ((cause: Error) => void)[] = []
      const lose = (isEnded: boolean): AppError => {
        const error = lost()
        faulty.hitCount++
        for (const tell of tellLost) tell(error)
        if (isEnded) void real.end()
        return error
      }
      const connection: Connection = {
        ...real,
        onLost(tell) {
          tellLost.push(tell)
          real.onLost(tell)
        },
        async query<Row>(query: Query) {
          const fault = 'name' in query && query.name === 'flush' ? (faulty.faults.shift() ?? 'none') : 'none'
          if (fault === 'lost-before') throw lose(true)
          const answer = real.query<Row>(query)
          if (fault === 'none') return answer
          if (fault === 'abandoned') {
            faulty.abandoned.push(answer.catch((error: unknown) => error).finally(() => real.end()))
            throw lose(false)
          }
          await answer
          throw lose(true)
        },
      }
      return connection
    },
  }
  return faulty
}
