/** What is in a calendar between two instants. Calendars are of strangers, and some rules of theirs have no end: this is for a thread that can be ended (`thread.ts`). */
import ICAL from 'ical.js'
import { dayMs, instantAt, isZone } from './zones.ts'

/** Instants in milliseconds; `to` is the first after it. Without a title it is a busy time and nothing more. */
export type Busy = { from: number; to: number; title?: string }
/** `zone`: where days without an hour, and times without a zone, are. */
export type Range = { from: number; to: number; zone: string }

/** Of one calendar. */
const occurrencesMax = 20_000
const eventsMax = 20_000

/** What is wrong with a calendar, in words for whoever has it. */
export class BadCalendar extends Error {
  override readonly name = 'BadCalendar'
}

/** Throws a `BadCalendar` for what is none. Private events have no title. */
export function busyIn(text: string, range: Range): Busy[] {
  const calendars = parse(text)
  const busy: Busy[] = []
  const put = (from: number, to: number, title?: string) => {
    if (from >= range.to || to <= range.from || to <= from) return
    if (busy.length === eventsMax) throw new BadCalendar('it has more than 20,000 events in that time')
    busy.push({ from, to, ...(title !== undefined && { title }) })
  }
  for (const calendar of calendars) {
    for (const free of calendar.getAllSubcomponents('vfreebusy')) putPeriods(free, range, put)
    putEvents(calendar, range, put)
  }
  return busy
}

type Put = (from: number, to: number, title?: string) => void

function parse(text: string): ICAL.Component[] {
  let parsed: unknown
  try {
    parsed = ICAL.parse(text)
  } catch (error) {
    throw new BadCalendar(`it is not iCalendar (${error instanceof Error ? error.message.slice(0, 200) : 'it cannot be read'})`)
  }
  // One object is a list that begins with its name, several are a list of such lists.
  const all = Array.isArray(parsed) && typeof parsed[0] === 'string' ? [parsed] : Array.isArray(parsed) ? parsed : []
  const calendars = all.map((one) => new ICAL.Component(one as string)).filter(({ name }) => name === 'vcalendar')
  if (calendars.length === 0) throw new BadCalendar('there is no calendar in it')
  return calendars
}

function putEvents(calendar: ICAL.Component, range: Range, put: Put): void {
  const byUid = Map.groupBy(calendar.getAllSubcomponents('vevent'), (event) => String(event.getFirstPropertyValue('uid') ?? ''))
  let count = 0
  for (const components of byUid.values()) {
    const changes = components.filter((component) => component.hasProperty('recurrence-id'))
    // Of a series that is not here, or moved to here from after the range.
    for (const change of changes) putOne(new ICAL.Event(change), undefined, range, put)
    for (const component of components.filter((one) => !changes.includes(one))) {
      const event = new ICAL.Event(component, { exceptions: changes })
      if (!event.isRecurring()) {
        putOne(event, undefined, range, put)
        continue
      }
      const occurrences = event.iterator()
      for (let next = occurrences.next(); next; next = occurrences.next()) {
        if (++count > occurrencesMax) throw new BadCalendar('its series have more than 20,000 occurrences up to then')
        if (instantOf(next, component, 'dtstart', range.zone) >= range.to) break
        const details = event.getOccurrenceDetails(next)
        // Has been put already where it is a change.
        if (!details.item.component.hasProperty('recurrence-id') || details.item.modifiesFuture()) putOne(details.item, details, range, put)
      }
    }
  }
}

/** `at`: of an occurrence; otherwise where the event itself is. */
function putOne(event: ICAL.Event, at: { startDate: ICAL.Time; endDate: ICAL.Time } | undefined, { zone }: Range, put: Put): void {
  const { component } = event
  if (!component.hasProperty('dtstart')) return
  const { startDate: start, endDate: end } = at ?? event
  const text = (name: string) => String(component.getFirstPropertyValue(name) ?? '').toUpperCase()
  if (text('status') === 'CANCELLED' || text('transp') === 'TRANSPARENT' || text('x-microsoft-cdo-busystatus') === 'FREE') return
  const from = instantOf(start, component, 'dtstart', zone)
  const to = instantOf(end, component, component.hasProperty('dtend') ? 'dtend' : 'dtstart', zone)
  const isPrivate = /^(PRIVATE|CONFIDENTIAL)$/.test(text('class'))
  put(from, start.isDate && to <= from ? from + dayMs : to, isPrivate ? undefined : String(component.getFirstPropertyValue('summary') ?? '').slice(0, 500))
}

function putPeriods(component: ICAL.Component, { zone }: Range, put: Put): void {
  for (const property of component.getAllProperties('freebusy')) {
    if (String(property.getFirstParameter('fbtype') ?? 'BUSY').toUpperCase() === 'FREE') continue
    for (const period of property.getValues())
      if (period instanceof ICAL.Period) put(instantOf(period.start, component, 'freebusy', zone), instantOf(period.getEnd(), component, 'freebusy', zone))
  }
}

/** In UTC, in a zone that the calendar describes, in one that it only names, or wherever clocks are looked at. */
function instantOf(time: ICAL.Time, component: ICAL.Component, property: string, floating: string): number {
  const wall = Date.UTC(time.year, time.month - 1, time.day, time.hour, time.minute, time.second)
  if (time.isDate) return instantAt(wall, floating)
  if (time.zone && time.zone.tzid !== 'floating') return time.toUnixTime() * 1_000
  const named = component.getFirstProperty(property)?.getFirstParameter('tzid')
  if (!named) return instantAt(wall, floating)
  if (!isZone(named)) throw new BadCalendar(`it names the time zone ${JSON.stringify(named.slice(0, 100))} and does not describe it`)
  return instantAt(wall, named)
}
