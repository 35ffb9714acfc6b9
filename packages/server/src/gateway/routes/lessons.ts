/** What this server knows of how calls of routes went, and of where sessions are: read from the database, kept for a while. */
import type { Route } from '@longhaul/protocol'
import type { Db } from '../../db/index.ts'
import { type Log, monotonicMs } from '../../kernel/index.ts'
import type { Asked } from '../models.ts'
import { type Lessons, learn } from './learned.ts'
import { lastModelOf, readLessons } from './outcome-store.ts'

export type School = {
  /** At most a minute old. What cannot be read is not known: a route then goes by the signs of difficulty, and works. */
  lessonsOf(tenantId: string, route: Route): Promise<Lessons>
  /** The model that was asked last in this session or run. */
  lastModel(route: string, asked: Asked): Promise<string | undefined>
  asking(route: string, asked: Asked, model: string): void
}

const freshMs = 60_000
const routesMax = 1_000
const sessionsMax = 20_000

export function openSchool({ db, log }: { db: Db; log: Log }): School {
  const known = new Map<string, { lessons: Promise<Lessons>; until: number; isReading: boolean }>()
  const sessions = new Map<string, string | undefined>()

  const read = (tenantId: string, { name: route, targets }: Route): Promise<Lessons> => {
    const models = targets.map(({ model }) => model)
    return readLessons(db.forTenant(tenantId), route).then(
      (lessons) => learn(lessons, models),
      (error: unknown) => {
        log.warn('what became of calls of a route could not be read; it goes by the signs of difficulty', { tenantId, route, error })
        return learn([], models)
      },
    )
  }

  const nameOf = (route: string, { tenantId, session }: Asked) => JSON.stringify([tenantId, route, session])
  const remember = (name: string, model: string | undefined) => {
    if (sessions.size >= sessionsMax) for (const oldest of sessions.keys().take(sessionsMax / 2)) sessions.delete(oldest)
    sessions.delete(name) // And back at the end.
    sessions.set(name, model)
  }

  return {
    lessonsOf(tenantId, route) {
      const name = JSON.stringify([tenantId, route.name, route.targets])
      const entry = known.get(name)
      if (!entry) {
        if (known.size >= routesMax) known.clear()
        const lessons = read(tenantId, route)
        known.set(name, { lessons, until: monotonicMs() + freshMs, isReading: false })
        return lessons
      }
      // Nobody waits for a newer reading.
      if (entry.until <= monotonicMs() && !entry.isReading) {
        entry.isReading = true
        void read(tenantId, route).then((lessons) => known.set(name, { lessons: Promise.resolve(lessons), until: monotonicMs() + freshMs, isReading: false }))
      }
      return entry.lessons
    },
    async lastModel(route, asked) {
      if (!asked.session || asked.tenantId === undefined) return undefined
      const name = nameOf(route, asked)
      if (sessions.has(name)) return sessions.get(name)
      const model = await lastModelOf(db.forTenant(asked.tenantId), route, asked).catch((error: unknown) => {
        log.warn('where a session is could not be read; it is drawn anew', { route, error })
        return undefined
      })
      remember(name, model)
      return model
    },
    asking(route, asked, model) {
      if (asked.session) remember(nameOf(route, asked), model)
    },
  }
}
