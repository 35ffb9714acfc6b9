import { Priority, type Schedule, catchUps, overlaps } from '@longhaul/protocol'
import type { ScheduleOptions } from '../control-commands.ts'
import { exitCodes } from '../exit-codes.ts'
import { shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { readJson } from '../read-json.ts'
import { printFields, printList } from '../show/records.ts'
import { duration, moment } from '../show/values.ts'

export async function setSchedule(invocation: Invocation, name: string, options: ScheduleOptions): Promise<number> {
  const { agent, input, overlap, catchUp, jitter, laneKey, priority } = options
  const client = await invocation.client()
  const schedule = await client.schedules.set({
    name,
    agent,
    input: await readJson(invocation, input),
    calendar: calendarOf(options),
    overlap: oneOf(overlaps, overlap, '--overlap'),
    catchUp: oneOf(catchUps, catchUp, '--catch-up'),
    jitterMs: jitter,
    priority: oneOf(Priority.options, priority, '--priority'),
    ...(laneKey !== undefined && { laneKey }),
  })
  return show(invocation, schedule)
}

function calendarOf({ cron, timeZone, every, from, at }: ScheduleOptions) {
  if ([cron, every, at].filter((given) => given !== undefined).length !== 1)
    throw new Problem('invalid', 'When does it fire?', 'Give one of --cron, --every and --at.')
  if (cron !== undefined) return { kind: 'cron' as const, cron, timeZone }
  if (every !== undefined) return { kind: 'interval' as const, everyMs: every, ...(from !== undefined && { from }) }
  return { kind: 'once' as const, at: at ?? '' }
}

export function oneOf<Known extends string>(known: readonly Known[], given: string, option: string): Known {
  const found = known.find((each) => each === given)
  if (!found) throw new Problem('invalid', `${option} is "${given}".`, `It must be one of: ${known.join(', ')}.`)
  return found
}

function show(invocation: Invocation, schedule: Schedule): number {
  if (invocation.isJson) invocation.printJson(schedule)
  else
    printFields(invocation, [
      ['schedule', schedule.name],
      ['agent', schedule.agent],
      ['fires', calendarText(schedule)],
      ['next', schedule.isPaused ? 'paused' : schedule.nextFires.map(moment).join(', ') || 'never again'],
      ['queued', schedule.queuedAt && `the fire of ${moment(schedule.queuedAt)} waits for the run before it`],
      ['overlap', schedule.overlap],
      ['catch-up', schedule.catchUp],
      ['jitter', schedule.jitterMs > 0 && `up to ${duration(schedule.jitterMs)}`],
      ['lane key', schedule.laneKey],
      ['priority', schedule.priority !== 'normal' && schedule.priority],
      ['last run', schedule.lastRunId],
      ['as', schedule.asker.name],
      ['from', schedule.fromVersion !== null && `the folder of ${schedule.agent}, version ${schedule.fromVersion}`],
    ])
  return exitCodes.done
}

function calendarText({ calendar }: Schedule): string {
  if (calendar.kind === 'cron') return `${calendar.cron} (${calendar.timeZone})`
  if (calendar.kind === 'interval') return `every ${duration(calendar.everyMs)}`
  return `once, at ${moment(calendar.at)}`
}

export async function listSchedules(invocation: Invocation): Promise<number> {
  const page = await (await invocation.client()).schedules.list({ limit: 200 })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map((schedule) => [
      schedule.name,
      schedule.agent,
      calendarText(schedule),
      schedule.isPaused ? 'paused' : schedule.nextFires[0] ? moment(schedule.nextFires[0]) : 'never again',
    ])
    printList(invocation, [{ name: 'schedule', isWhole: true }, { name: 'agent' }, { name: 'fires' }, { name: 'next', isWhole: true }], rows, [
      'No schedules.',
      'npx longhaul schedules set nightly --agent analyst --cron "0 3 * * *"',
    ])
  }
  return exitCodes.done
}

export const getSchedule = async (invocation: Invocation, name: string): Promise<number> =>
  show(invocation, await (await invocation.client()).schedules.get({ name }))

export async function listFires(invocation: Invocation, name: string, { limit }: { limit: number }): Promise<number> {
  const page = await (await invocation.client()).schedules.fires({ name, limit })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map(({ fireAt, outcome, reason, runId }) => [moment(fireAt), outcome, reason ?? '', runId ? idOf(runId) : ''])
    printList(invocation, [{ name: 'fire', isWhole: true }, { name: 'outcome', isWhole: true }, { name: 'why' }, { name: 'run', isWhole: true }], rows, [
      `${name} has not fired yet.`,
    ])
  }
  return exitCodes.done
}

export async function changeSchedule(invocation: Invocation, verb: 'pause' | 'resume' | 'fire' | 'delete', name: string): Promise<number> {
  const client = await invocation.client()
  if (verb === 'fire') {
    const fire = await client.schedules.fire({ name })
    if (invocation.isJson) invocation.printJson(fire)
    else invocation.terminal.print(`  ${name} has fired: run ${fire.runId}.`, ...(fire.runId ? [`  npx longhaul runs watch ${shortId(fire.runId)}`] : []))
    return exitCodes.done
  }
  const schedule = await client.schedules[verb]({ name })
  if (verb !== 'delete') return show(invocation, schedule)
  if (invocation.isJson) invocation.printJson(schedule)
  else invocation.terminal.print(`  Schedule ${schedule.name} is deleted; its runs stay.`)
  return exitCodes.done
}
