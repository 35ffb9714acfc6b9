/** Schedules and channels of an agent's folder: data, checked where their author can mend it, with the line where that can be told. */
import { Channel, DeclaredSchedule, Name } from '@longhaul/protocol/agent'
import { join } from 'node:path'
import { z } from 'zod'
import { type Report, list, loadDefault, readJson, readText } from './folder-files.ts'

/** Declares when runs start by themselves: the default export of `schedules/<name>.ts`. A `.json` file with the same content does as well. */
export const schedule = (declared: z.input<typeof DeclaredSchedule>): z.input<typeof DeclaredSchedule> => declared

/** Declares how messages from outside reach the agent and where its answers go: the default export of `channels/<name>.ts`, or a `.json` file. */
export const channel = (declared: z.input<typeof Channel>): z.input<typeof Channel> => declared

export type DeclaredParts = { schedules: { name: string; schedule: DeclaredSchedule }[]; channels: { name: string; channel: Channel }[] }

/** `root` is the folder `agent/`. */
export async function loadDeclared(root: string, report: Report): Promise<DeclaredParts> {
  const schedules = await loadFolder(join(root, 'schedules'), DeclaredSchedule, 'schedule', report)
  const channels = await loadFolder(join(root, 'channels'), Channel, 'channel', report)
  for (const { path, value } of schedules) {
    const { calendar } = value
    if (calendar.kind === 'cron' && !isTimeZone(calendar.timeZone))
      await reportAt(path, ['calendar', 'timeZone'], `calendar.timeZone: there is no time zone ${JSON.stringify(calendar.timeZone)}.`, report)
    if (calendar.kind === 'cron' && !cronShape.test(calendar.cron.trim()))
      await reportAt(path, ['calendar', 'cron'], 'calendar.cron: must have five fields: minute, hour, day, month, weekday.', report)
  }
  return {
    schedules: schedules.map(({ name, value }) => ({ name, schedule: value })),
    channels: channels.map(({ name, value }) => ({ name, channel: value })),
  }
}

const cronShape = /^(@(yearly|annually|monthly|weekly|daily|midnight|hourly)|\S+(\s+\S+){4})$/i
const declaration = /(?<!\.d|\.test)\.(json|ts|js|mts|mjs)$/

type Found<Schema extends z.ZodType> = { name: string; path: string; value: z.output<Schema> }

async function loadFolder<Schema extends z.ZodType>(folder: string, schema: Schema, what: string, report: Report): Promise<Found<Schema>[]> {
  const found: Found<Schema>[] = []
  for (const file of await list(folder, declaration)) {
    const path = join(folder, file)
    const name = file.replace(declaration, '')
    if (!Name.safeParse(name).success) {
      report(path, `its name is the ${what}'s, so it must be lower-case letters, digits and hyphens, not ${JSON.stringify(name)}.`)
      continue
    }
    const given = file.endsWith('.json') ? await readJson(path, report) : await loadDefault(path, report)
    if (given === undefined) continue
    const parsed = schema.safeParse(given)
    if (found.some((other) => other.name === name)) report(path, `there is another ${what} ${JSON.stringify(name)}.`)
    else if (parsed.success) found.push({ name, path, value: parsed.data })
    else
      for (const issue of parsed.error.issues)
        await reportAt(path, issue.path, `${issue.path.length > 0 ? `${issue.path.map(String).join('.')}: ` : ''}${issue.message}`, report)
  }
  return found
}

/** With the line of the innermost field that the file writes out. */
async function reportAt(path: string, fields: readonly PropertyKey[], problem: string, report: Report): Promise<void> {
  const lines = ((await readText(path)) ?? '').split('\n')
  for (const field of fields.toReversed()) {
    if (typeof field !== 'string') continue
    const at = lines.findIndex((line) => new RegExp(`(^|[^\\w-])["']?${RegExp.escape(field)}["']?\\s*:`).test(line))
    if (at >= 0) return report(`${path}:${at + 1}`, problem)
  }
  report(path, problem)
}

function isTimeZone(zone: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: zone }).format(0)
    return true
  } catch {
    return false // A RangeError: there is none of that name.
  }
}
