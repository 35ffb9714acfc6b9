import { z } from 'zod'
import { LaneKey, Priority } from './limits.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Asker, DeclaredName, Etag, JsonValue, Name } from './values.ts'

/** When it fires. Cron has five fields (minute, hour, day, month, weekday; `L`, `W`, `#`, `@daily` and the like as well) in a time zone; an interval counts from `from`. */
export const Calendar = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('cron'), cron: z.string().min(1).max(200), timeZone: z.string().min(1).max(64).default('UTC') }),
  z.strictObject({
    kind: z.literal('interval'),
    everyMs: z.number().int().min(1_000).max(31_622_400_000),
    from: z.iso.datetime({ offset: true }).optional(),
  }),
  z.strictObject({ kind: z.literal('once'), at: z.iso.datetime({ offset: true }) }),
])
export type Calendar = z.infer<typeof Calendar>

/** While the run of the fire before is under way: start another, leave this one out, keep one until it has ended, or cancel it and then start. */
export const overlaps = ['allow', 'skip', 'queue', 'cancel'] as const
/** Fires that were missed by more than a minute: leave them out, make up for the last one, or for all. */
export const catchUps = ['skip', 'one', 'all'] as const

export const Schedule = z.object({
  id: z.uuid(),
  name: z.string(),
  agent: z.string(),
  input: JsonValue,
  /** Whose access its runs have: that of whoever set it, as it was then. */
  asker: Asker,
  calendar: Calendar,
  overlap: z.enum(overlaps),
  catchUp: z.enum(catchUps),
  jitterMs: z.number().int(),
  laneKey: z.string().nullable(),
  priority: Priority,
  isPaused: z.boolean(),
  /** The agent's version whose folder declares it. It comes and goes with what is live: nobody sets or deletes it, but it can be paused. Null: somebody has set it. */
  fromVersion: z.string().nullable(),
  /** The next five; fewer when fewer follow, none while it is paused. */
  nextFires: z.array(z.iso.datetime()),
  /** A fire that waits until the run before it has ended. */
  queuedAt: z.iso.datetime().nullable(),
  lastRunId: z.uuid().nullable(),
  setBy: z.string(),
  setAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Schedule = z.infer<typeof Schedule>

export const Fire = z.object({
  fireAt: z.iso.datetime(),
  noticedAt: z.iso.datetime(),
  outcome: z.enum(['started', 'queued', 'skipped']),
  /** Why it was skipped: `overlap`, `missed`, `stopped`, `replaced`, `no_version`. */
  reason: z.string().nullable(),
  runId: z.uuid().nullable(),
})
export type Fire = z.infer<typeof Fire>

const ScheduleRef = z.strictObject({ name: DeclaredName })

const setting = {
  input: JsonValue.default(null),
  calendar: Calendar,
  overlap: z.enum(overlaps).default('skip'),
  catchUp: z.enum(catchUps).default('one'),
  jitterMs: z.number().int().min(0).max(3_600_000).default(0),
  laneKey: LaneKey.optional(),
  priority: Priority.default('normal'),
}
/** A schedule in an agent's folder, `schedules/<name>.ts` or `.json`. */
export const DeclaredSchedule = z.strictObject(setting)
export type DeclaredSchedule = z.infer<typeof DeclaredSchedule>

export const setSchedule = operation({
  id: 'schedules.set',
  summary: 'Make a schedule, or replace the one of that name. It starts runs with the caller’s data access.',
  http: ['POST', '/v1/schedules'],
  permission: 'schedules:manage',
  input: z.strictObject({
    name: Name,
    agent: Name,
    ...setting,
  }),
  output: Schedule,
})
export const listSchedules = operation({
  id: 'schedules.list',
  summary: 'All schedules by name, with their next fires.',
  http: ['GET', '/v1/schedules'],
  permission: 'runs:read',
  input: z.strictObject(PageInput),
  output: pageOf(Schedule),
})
export const getSchedule = operation({
  id: 'schedules.get',
  summary: 'One schedule.',
  http: ['GET', '/v1/schedules/{name}'],
  permission: 'runs:read',
  input: ScheduleRef,
  output: Schedule,
})
export const pauseSchedule = operation({
  id: 'schedules.pause',
  summary: 'Fire no more until it is resumed. Fires of that time are not made up for.',
  http: ['POST', '/v1/schedules/{name}/pause'],
  permission: 'schedules:manage',
  input: ScheduleRef,
  output: Schedule,
})
export const resumeSchedule = operation({
  id: 'schedules.resume',
  summary: 'Fire again, from now on.',
  http: ['POST', '/v1/schedules/{name}/resume'],
  permission: 'schedules:manage',
  input: ScheduleRef,
  output: Schedule,
})
export const fireSchedule = operation({
  id: 'schedules.fire',
  summary: 'Fire now, besides its calendar and whatever is under way.',
  http: ['POST', '/v1/schedules/{name}/fire'],
  permission: 'schedules:manage',
  input: ScheduleRef,
  output: Fire,
})
export const listFires = operation({
  id: 'schedules.fires',
  summary: 'What became of its fires, newest first. Kept for 30 days.',
  http: ['GET', '/v1/schedules/{name}/fires'],
  permission: 'runs:read',
  input: z.strictObject({ name: DeclaredName, ...PageInput }),
  output: pageOf(Fire),
})
export const deleteSchedule = operation({
  id: 'schedules.delete',
  summary: 'Delete a schedule and its list of fires. Its runs stay.',
  http: ['DELETE', '/v1/schedules/{name}'],
  permission: 'schedules:manage',
  input: ScheduleRef,
  output: Schedule,
})

export const scheduleOperations = [setSchedule, listSchedules, getSchedule, pauseSchedule, resumeSchedule, fireSchedule, listFires, deleteSchedule]
