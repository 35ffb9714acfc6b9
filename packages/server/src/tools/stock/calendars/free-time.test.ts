/** The stock tool `free_time`: feeds over real HTTP, as calendars write them and as nobody should. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { AgentManifest, Json } from '@longhaul/protocol'
import { afterAll, expect, test } from 'vitest'
import { makeDatabase } from '../../../../test/support/postgres.ts'
import { failureOf, openToolsBed } from '../../../../test/support/tools-bed.ts'
import { busyIn } from './busy.ts'
import { instantAt, textAt } from './zones.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

const event = (...lines: string[]) => ['BEGIN:VEVENT', ...lines, 'END:VEVENT'].join('\r\n')
const calendar = (...parts: string[]) => ['BEGIN:VCALENDAR', 'VERSION:2.0', 'PRODID:-//test', ...parts, 'END:VCALENDAR', ''].join('\r\n')
const at = (start: string, end: string, ...more: string[]) =>
  event(`UID:${start}`, `DTSTART;TZID=Europe/Berlin:${start}`, `DTEND;TZID=Europe/Berlin:${end}`, ...more)

/** Feeds by their paths, on the loopback interface. */
async function openFeeds(feeds: Record<string, string | { status: number; headers?: Record<string, string>; body?: string }>) {
  const asked: { path: string; authorization: string | undefined }[] = []
  const server = createServer((request, response) => {
    const path = request.url ?? ''
    asked.push({ path, authorization: request.headers.authorization })
    const feed = feeds[path] ?? { status: 404 }
    if (typeof feed === 'string') response.writeHead(200, { 'content-type': 'text/calendar' }).end(feed)
    else response.writeHead(feed.status, feed.headers).end(feed.body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  return { asked, host, close: () => new Promise((resolve) => (server.closeAllConnections(), server.close(resolve))) }
}

type Options = { feeds: Parameters<typeof openFeeds>[0]; showsTitles?: string[]; privateHosts?: string[]; hosts?: string[]; address?: (host: string) => string }

/** People have the names of their feeds: `/ada` is of ada. */
async function openBed({ feeds, showsTitles = [], privateHosts, hosts = ['127.0.0.1'], address }: Options) {
  const site = await openFeeds(feeds)
  const people = Object.keys(feeds).map((path) => path.slice(1))
  const manifest: AgentManifest = {
    ...{ description: '', shape: 'agent', model: null, instructions: null, tools: [], skills: [], examples: [] },
    calendars: Object.fromEntries(people.map((person) => [person, { secret: `of-${person}`, showsTitles: showsTitles.includes(person) }])),
  }
  const bed = await openToolsBed({ db: database.db, privateHosts: privateHosts ?? [site.host], manifestOf: async () => manifest })
  for (const person of people) await bed.setSecret(`of-${person}`, { value: address?.(site.host) ?? `http://${site.host}/${person}`, hosts })
  const input = { people, from: '2026-10-19T00:00:00+02:00', to: '2026-10-20T00:00:00+02:00', zone: 'Europe/Berlin' }
  return {
    ...bed,
    ...{ site, input },
    find: async (more: object = {}) =>
      (await bed.call('free_time', { ...input, ...more } as Json)).output as { free: { from: string; to: string; minutes: number }[]; events?: object[] },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await site.close()
    },
  }
}
const shown = ({ free }: { free: { from: string; to: string }[] }) => free.map(({ from, to }) => `${from.slice(5, 16)} ${to.slice(5, 16)}`)

test('all are free when nobody is busy, within working hours of the zone; what is free or cancelled is not busy', async () => {
  await using bed = await openBed({
    feeds: {
      '/ada': calendar(at('20261019T100000', '20261019T110000'), at('20261019T153000', '20261019T180000', 'STATUS:CANCELLED')),
      '/ben': calendar(
        event('UID:b', 'DTSTART:20261019T110000Z', 'DURATION:PT30M'), // 13:00 in Berlin.
        at('20261019T090000', '20261019T170000', 'TRANSP:TRANSPARENT'),
        at('20261019T140000', '20261019T141000', 'X-MICROSOFT-CDO-BUSYSTATUS:FREE'),
      ),
    },
  })
  const found = await bed.call('free_time', bed.input)
  expect(found).toEqual({
    output: {
      free: [
        { from: '2026-10-19T09:00:00+02:00', to: '2026-10-19T10:00:00+02:00', minutes: 60 },
        { from: '2026-10-19T11:00:00+02:00', to: '2026-10-19T13:00:00+02:00', minutes: 120 },
        { from: '2026-10-19T13:30:00+02:00', to: '2026-10-19T17:00:00+02:00', minutes: 210 },
      ],
    },
    parts: [],
    source: 'tool_server',
    origin: bed.site.host,
    labels: [`tool_server:${bed.site.host}`],
  })
  expect(shown(await bed.find({ people: ['ada'], minutes: 240 }))).toEqual(['10-19T11:00 10-19T17:00'])
  // The same times as clocks in New York show them: nothing before 9 there, which is 15 in Berlin.
  expect(shown(await bed.find({ zone: 'America/New_York' }))).toEqual(['10-19T09:00 10-19T17:00'])
  expect(await bed.find({ days: [6, 7] })).toEqual({ free: [] })
})

test('series keep the hour of their zone over a change of the clock, with their exceptions and changes', async () => {
  const series = event(
    'UID:s',
    'DTSTART;TZID=Europe/Berlin:20261012T090000',
    'DTEND;TZID=Europe/Berlin:20261012T120000',
    'RRULE:FREQ=WEEKLY;BYDAY=MO',
    'EXDATE;TZID=Europe/Berlin:20261102T090000',
    'RDATE;TZID=Europe/Berlin:20261103T140000',
  )
  const moved = event(
    'UID:s',
    'RECURRENCE-ID;TZID=Europe/Berlin:20261026T090000',
    'DTSTART;TZID=Europe/Berlin:20261026T150000',
    'DTEND;TZID=Europe/Berlin:20261026T170000',
  )
  const brought = event(
    'UID:s',
    'RECURRENCE-ID;TZID=Europe/Berlin:20261214T090000',
    'DTSTART;TZID=Europe/Berlin:20261104T090000',
    'DTEND;TZID=Europe/Berlin:20261104T160000',
  )
  const allDay = event('UID:d', 'DTSTART;VALUE=DATE:20261105', 'DTEND;VALUE=DATE:20261107')
  await using bed = await openBed({ feeds: { '/ada': calendar(series, moved, brought, allDay) } })
  const free = async (from: string, to: string) => shown(await bed.find({ from: `${from}T00:00:00Z`, to: `${to}T00:00:00Z` }))
  expect(await free('2026-10-19', '2026-10-20')).toEqual(['10-19T12:00 10-19T17:00'])
  expect(await free('2026-10-26', '2026-10-27')).toEqual(['10-26T09:00 10-26T15:00'])
  expect(await free('2026-11-02', '2026-11-07')).toEqual(['11-02T09:00 11-02T17:00', '11-03T09:00 11-03T14:00', '11-04T16:00 11-04T17:00'])
  expect(await free('2026-11-09', '2026-11-10')).toEqual(['11-09T12:00 11-09T17:00'])
})

test('a zone that the calendar describes is taken as it says; one that it only names must be known', async () => {
  const zone = [
    'BEGIN:VTIMEZONE',
    'TZID:Our office',
    'BEGIN:STANDARD',
    'DTSTART:19700101T000000',
    'TZOFFSETFROM:+0530',
    'TZOFFSETTO:+0530',
    'END:STANDARD',
    'END:VTIMEZONE',
  ].join('\r\n')
  const meeting = event('UID:1', 'DTSTART;TZID=Our office:20261019T140000', 'DTEND;TZID=Our office:20261019T150000')
  await using bed = await openBed({ feeds: { '/ada': calendar(zone, meeting), '/ben': calendar(meeting) } })
  expect(shown(await bed.find({ people: ['ada'] }))).toEqual(['10-19T09:00 10-19T10:30', '10-19T11:30 10-19T17:00'])
  expect(await failureOf(bed.find({ people: ['ben'] }))).toMatchObject({
    code: 'bad_calendar',
    message: expect.stringContaining('ben is not taken: it names the time zone "Our office"'),
  })
})

test('busy times without events are read as well', async () => {
  const feed = calendar(
    'BEGIN:VFREEBUSY\r\nFREEBUSY;FBTYPE=BUSY:20261019T070000Z/20261019T090000Z,20261019T100000Z/PT1H\r\nFREEBUSY;FBTYPE=FREE:20261019T090000Z/PT30M\r\nEND:VFREEBUSY',
  )
  await using bed = await openBed({ feeds: { '/ada': feed } })
  expect(shown(await bed.find())).toEqual(['10-19T11:00 10-19T12:00', '10-19T13:00 10-19T17:00'])
})

test('titles are told of those alone whose calendar allows it, and never those of private events', async () => {
  const feed = (who: string) =>
    calendar(
      at('20261019T100000', '20261019T110000', `SUMMARY:${who}\u200b at the doctor`),
      at('20261019T120000', '20261019T130000', `SUMMARY:${who} in love`, 'CLASS:PRIVATE'),
    )
  await using bed = await openBed({ feeds: { '/ada': feed('Ada'), '/ben': feed('Ben') }, showsTitles: ['ben'] })
  expect(JSON.stringify(await bed.find({ people: ['ada'] }))).not.toMatch(/doctor|love|events/)
  expect((await bed.find()).events).toEqual([
    { person: 'ben', from: '2026-10-19T10:00:00+02:00', to: '2026-10-19T11:00:00+02:00', title: 'Ben at the doctor' },
    { person: 'ben', from: '2026-10-19T12:00:00+02:00', to: '2026-10-19T13:00:00+02:00', title: 'busy' },
  ])
})

test.each([
  ['a day that never comes', calendar(event('UID:1', 'DTSTART:20200101T000000Z', 'RRULE:FREQ=SECONDLY;BYMONTH=2;BYMONTHDAY=30')), 'more than 5 s'],
  ['every second for years', calendar(event('UID:1', 'DTSTART:20200101T000000Z', 'RRULE:FREQ=SECONDLY')), 'more than 20,000 occurrences'],
  ['a page', '<html>Sign in</html>', 'is not iCalendar'],
  ['a contact', 'BEGIN:VCARD\r\nVERSION:4.0\r\nFN:Ada\r\nEND:VCARD', 'there is no calendar in it'],
  ['nothing', '', 'not taken'],
  ['half of a calendar', calendar(at('20261019T100000', '20261019T110000')).slice(0, -30), 'is not iCalendar'],
])('%s in place of a calendar is told as that, and stops nobody', async (_, feed, why) => {
  await using bed = await openBed({ feeds: { '/ada': feed } })
  let turns = 0
  const ticking = setInterval(() => turns++, 50)
  const failure = await failureOf(bed.find())
  clearInterval(ticking)
  expect(failure).toMatchObject({ code: 'bad_calendar', retryable: false, message: expect.stringContaining(why) })
  if (why === 'more than 5 s') expect(turns).toBeGreaterThan(10) // This process had time for others meanwhile.
})

test('an address is a secret: no failure has more of it than its host, and it is used at the hosts of its secret, opened ones, without redirects', async () => {
  const feeds = { '/ada': { status: 302, headers: { location: '/elsewhere' } } }
  await using moved = await openBed({ feeds, address: (host) => `http://ada:sesame%20open@${host}/ada` })
  await using gone = await openBed({ feeds, address: (host) => `http://${host}/gone?key=sesame` })
  const told = [await failureOf(moved.find()), await failureOf(gone.find())]
  expect(told).toMatchObject([
    { code: 'http_error', message: expect.stringContaining('Store the new address in the secret of-ada') },
    { code: 'http_error', message: expect.stringContaining('404') },
  ])
  expect(moved.site.asked).toEqual([{ path: '/ada', authorization: `Basic ${Buffer.from('ada:sesame open').toString('base64')}` }])
  await using elsewhere = await openBed({ feeds: { '/ada': calendar() }, hosts: ['calendar.example.com'] })
  await using closed = await openBed({ feeds: { '/ada': calendar() }, privateHosts: [] })
  await using wrong = await openBed({ feeds: { '/ada': calendar() }, address: () => 'sesame' })
  const failures = await Promise.all([elsewhere.find(), closed.find(), wrong.find()].map(failureOf))
  expect(failures).toMatchObject([
    { code: 'host_refused' },
    { code: 'host_refused', message: expect.stringContaining('LONGHAUL_TOOLS_PRIVATE_HOSTS') },
    { code: 'credentials', message: expect.stringContaining('no address of a calendar') },
  ])
  expect(JSON.stringify([told, failures])).not.toContain('sesame')
  expect([elsewhere.site.asked, closed.site.asked]).toEqual([[], []])
})

test.each<[string, object, string]>([
  ['somebody who is not there', { people: ['ada', 'eve'] }, 'There is no calendar of "eve". There are those of: ada.'],
  ['a zone that is none', { zone: 'Mars/Olympus' }, 'no time zone "Mars/Olympus"'],
  ['more than two months', { to: '2027-10-20T00:00:00Z' }, 'at most 62 days'],
  ['an end before the beginning', { to: '2026-10-18T00:00:00Z' }, 'more than nothing'],
  ['a night', { hours: { from: '22:00', to: '06:00' } }, 'are none'],
])('%s is refused before anybody is asked', async (_, more, why) => {
  await using bed = await openBed({ feeds: { '/ada': calendar() } })
  expect(await failureOf(bed.find(more))).toMatchObject({ message: expect.stringContaining(why), retryable: false })
  expect(bed.site.asked).toEqual([])
})

test('clocks: of an hour that comes twice the first, of one that does not come as much later', () => {
  const berlin = (wall: string) => textAt(instantAt(Date.parse(`${wall}Z`), 'Europe/Berlin'), 'Europe/Berlin')
  expect(berlin('2026-10-25T02:30:00')).toBe('2026-10-25T02:30:00+02:00')
  expect(berlin('2026-03-29T02:30:00')).toBe('2026-03-29T03:30:00+02:00')
  expect(textAt(Date.parse('2026-01-01T00:00:00Z'), 'America/St_Johns')).toBe('2025-12-31T20:30:00-03:30')
  const range = { from: Date.parse('2026-10-19T00:00:00Z'), to: Date.parse('2026-10-20T00:00:00Z'), zone: 'Asia/Shanghai' }
  expect(busyIn(calendar(event('UID:f', 'DTSTART:20261019T090000', 'DTEND:20261019T100000')), range)).toMatchObject([
    { from: Date.parse('2026-10-19T01:00:00Z') },
  ])
})
