/** When all of some people are free, by calendars whose addresses only the server has. */
import { type CalendarFeed, type Json, type serverTools, visibleText } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Egress } from '../../egress/egress.ts'
import { failed, httpFailure, networkFailure } from '../../failures.ts'
import type { SecretsUser, ToolSecrets } from '../../secrets.ts'
import type { Busy } from './busy.ts'
import { freeIn, msOf } from './free.ts'
import { readCalendar } from './read-calendar.ts'
import { dayMs, isZone, textAt } from './zones.ts'

type Use = { calendars: Readonly<Record<string, CalendarFeed>>; user: SecretsUser; secrets: ToolSecrets; egress: Egress; signal: AbortSignal }

const addresses = { protocols: /^(https?|webcals?):$/, what: 'a calendar', example: 'https://calendar.example.com/ada/basic.ics' }
const daysMax = 62
/** Of one calendar; those of all people are here at once. */
const bytesMax = 5_000_000
const freeMax = 200
const eventsMax = 200
const titleMax = 200

/** `origins`: the hosts that the calendars came from, each once. */
export async function findFreeTime(input: z.output<typeof serverTools.free_time.input>, use: Use): Promise<{ output: Json; origins: string[] }> {
  const { zone, hours, days, minutes } = input
  const people = [...new Set(input.people)]
  const range = { from: Date.parse(input.from), to: Date.parse(input.to), zone }
  check(people, range, hours, use.calendars)
  const feeds = await Promise.all(people.map((person) => fetchFeed(person, use)))
  const busy: (Busy & { person: string })[] = []
  for (const { person, text } of feeds) {
    const read = await readCalendar(text, range, use.signal)
    if ('problem' in read) throw failed('bad_calendar', `The calendar of ${person} is not taken: ${read.problem}.`)
    busy.push(...read.busy.map((event) => ({ ...event, person })))
  }
  const free = freeIn(range, busy, { zone, days, hours }, minutes * 60_000)
  const shown = busy.filter(({ person }) => use.calendars[person]?.showsTitles).toSorted((one, other) => one.from - other.from)
  const times = ({ from, to }: { from: number; to: number }) => ({ from: textAt(from, zone), to: textAt(to, zone) })
  return {
    output: {
      free: free.slice(0, freeMax).map((stretch) => ({ ...times(stretch), minutes: Math.floor((stretch.to - stretch.from) / 60_000) })),
      ...(shown.length > 0 && {
        events: shown.slice(0, eventsMax).map((event) => ({
          person: event.person,
          ...times(event),
          title: visibleText(event.title || 'busy')
            .slice(0, titleMax)
            .toWellFormed(),
        })),
      }),
      ...((free.length > freeMax || shown.length > eventsMax) && { note: 'There is more. Ask for a shorter time.' }),
    },
    origins: [...new Set(feeds.map(({ host }) => host))],
  }
}

function check(
  people: string[],
  { from, to, zone }: { from: number; to: number; zone: string },
  hours: { from: string; to: string },
  calendars: Use['calendars'],
) {
  const unknown = people.find((person) => !Object.hasOwn(calendars, person))
  if (unknown !== undefined)
    throw failed('not_found', `There is no calendar of ${JSON.stringify(unknown)}. There are those of: ${Object.keys(calendars).join(', ') || 'nobody'}.`)
  if (!isZone(zone)) throw failed('invalid', `There is no time zone ${JSON.stringify(zone)}. Use an IANA name such as "Europe/Berlin".`)
  if (from >= to || to - from > daysMax * dayMs)
    throw failed('invalid', `The time from ${textAt(from, zone)} to ${textAt(to, zone)} must be more than nothing and at most ${daysMax} days.`)
  if (msOf(hours.from) >= msOf(hours.to))
    throw failed('invalid', `Working hours from ${hours.from} to ${hours.to} are none: they end on the day on which they begin.`)
}

/** The address is a secret: no message has more of it than its host. */
async function fetchFeed(person: string, { calendars, user, secrets, egress, signal }: Use): Promise<{ person: string; text: string; host: string }> {
  const { secret = '' } = calendars[person] ?? {}
  const { url, hosts } = await secrets.readAddress(secret, user, addresses)
  const { username, password } = url
  const at = new URL(url.href.replace(/^webcals?:/, 'https:'))
  at.username = at.password = ''
  const basic = username === '' ? undefined : `Basic ${Buffer.from(`${decodeURIComponent(username)}:${decodeURIComponent(password)}`).toString('base64')}`
  try {
    const headers = { accept: 'text/calendar, */*;q=0.1', 'user-agent': 'longhaul', ...(basic !== undefined && { authorization: basic }) }
    const response = await egress.fetch(at, { headers, signal }, { hosts, bytesMax })
    if (response.status >= 300 && response.status < 400)
      throw failed(
        'http_error',
        `The calendar of ${person} is somewhere else now: ${at.hostname} answers with a redirect, which is not followed. Store the new address in the secret ${secret}.`,
      )
    if (!response.ok) throw httpFailure(response.status, at.hostname, { isRepeatable: true, retryAfter: response.headers.get('retry-after') })
    return { person, text: await response.text(), host: at.host }
  } catch (error) {
    throw signal.aborted ? error : (networkFailure(error, at.hostname, true) ?? error)
  }
}
