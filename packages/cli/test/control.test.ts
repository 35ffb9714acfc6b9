import type { Fire, Hook, HookDelivery, Limit, Schedule, Stop, Stopped } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { agents } from './support/stories.ts'

const at = '2026-11-21T02:00:00.000Z'
const limit: Limit = {
  id: uuid(1),
  namespace: null,
  agent: 'analyst',
  laneKey: '*',
  runningMax: 2,
  startsPerSecond: null,
  startsPerMinute: 60,
  source: 'operator',
  setBy: 'ops',
  setAt: at,
}
const schedule: Schedule = {
  id: uuid(2),
  name: 'nightly',
  agent: 'analyst',
  input: null,
  asker: { id: 'k', name: 'ops', access: { personalData: true } },
  calendar: { kind: 'cron', cron: '0 3 * * *', timeZone: 'Europe/Berlin' },
  overlap: 'skip',
  catchUp: 'one',
  jitterMs: 90_000,
  laneKey: null,
  priority: 'normal',
  isPaused: false,
  fromVersion: null,
  nextFires: [at],
  queuedAt: null,
  lastRunId: null,
  setBy: 'ops',
  setAt: at,
}
const fire: Fire = { fireAt: at, noticedAt: at, outcome: 'skipped', reason: 'overlap', runId: null }
const hook: Hook = {
  id: uuid(7),
  name: 'issues',
  path: '/hooks/default/issues',
  agent: 'analyst',
  namespace: 'default',
  scheme: 'github',
  secret: 'github-webhook',
  action: { type: 'start', input: { title: '/issue/title' } },
  events: ['issues'],
  toleranceMs: 300_000,
  isPaused: false,
  fromVersion: null,
  channel: null,
  asker: { id: 'k', name: 'ops', access: { personalData: true } },
  setBy: 'ops',
  setAt: at,
}
const came: HookDelivery = { id: uuid(8), eventId: null, outcome: 'refused', reason: 'signature', runId: null, receivedAt: at }
const stop: Stop = {
  id: uuid(3),
  namespace: null,
  agent: 'analyst',
  runId: null,
  reason: 'it lies',
  stoppedBy: 'ops',
  stoppedAt: at,
  liftedBy: null,
  liftedAt: null,
}
const step = { seq: 4, type: 'step.started', op: '2', kind: 'exec', name: 'send', attempt: 1, at }
const stopped: Stopped = {
  stop,
  isNew: true,
  cut: [{ runId: uuid(4), agent: 'analyst', lastStep: step, open: [step] }],
  cutCount: 1,
  lastStep: { ...step, runId: uuid(4) },
  heldCount: 3,
  nodesUnheard: ['n'],
}

const start = () =>
  startFakeApi({
    agents,
    answers: {
      'limits.set': limit,
      'limits.list': { items: [limit], next: null },
      'limits.delete': limit,
      'schedules.set': schedule,
      'schedules.list': { items: [schedule], next: null },
      'schedules.get': schedule,
      'schedules.pause': { ...schedule, isPaused: true, nextFires: [] },
      'schedules.fire': { ...fire, outcome: 'started', reason: null, runId: uuid(5) },
      'schedules.fires': { items: [fire], next: null },
      'schedules.delete': schedule,
      'hooks.set': hook,
      'hooks.list': { items: [hook], next: null },
      'hooks.get': hook,
      'hooks.pause': { ...hook, isPaused: true },
      'hooks.delete': hook,
      'hooks.deliveries': { items: [came], next: null },
      'stops.create': stopped,
      'stops.list': { items: [stop], next: null },
      'stops.lift': { ...stop, liftedBy: 'ops', liftedAt: at },
    },
  })

test('limits are set, listed and deleted', async () => {
  await using api = await start()
  const set = await command(api, ['limits', 'set', '--agent', 'analyst', '--lane-key', '*', '--running', '2', '--per-minute', '60'])
  expect(set).toMatchObject({ exit: 0, out: expect.stringContaining('agent analyst, each lane key: 2 at once, 60 starts a minute') })
  expect(api.requests.at(-1)).toMatchObject({
    method: 'POST',
    path: '/v1/limits',
    body: { agent: 'analyst', laneKey: '*', runningMax: 2, startsPerMinute: 60 },
  })
  expect((await command(api, ['limits', 'list'])).out).toMatch(/agent analyst, each lane key +2 at once, 60 starts a minute +ops/)
  expect((await command(api, ['limits', 'list', '--json'])).json()).toEqual([{ items: [limit], next: null }])
  expect(await command(api, ['limits', 'delete', uuid(1).slice(-6)])).toMatchObject({ exit: 0 })
  expect(api.requests.at(-1)).toMatchObject({ method: 'DELETE', path: `/v1/limits/${uuid(1)}` })
  expect(await command(api, ['limits', 'set', '--agent', 'analyst'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('--running, --per-second or --per-minute'),
  })
  expect(await command(api, ['limits', 'set', '--running', 'many'])).toMatchObject({ exit: 2 })
})

test('a stop says what was cut and what may have had its effect, and goes by what it stops', async () => {
  await using api = await start()
  const { exit, out } = await command(api, ['stop', 'agent', 'analyst', '--reason', 'it lies'])
  expect(exit).toBe(0)
  expect(api.requests.at(-1)).toMatchObject({ path: '/v1/stops', body: { agent: 'analyst', reason: 'it lies' } })
  expect(out).toMatch(/cut +1 run\n/)
  expect(out).toMatch(/held +3 runs/)
  expect(out).toMatch(/not confirmed +1 server/)
  expect(out).toContain('without a result: these may have had their effect.')
  expect(out).toContain('exec send')
  expect((await command(api, ['stop', 'tenant', '--yes', '--json'])).json()).toEqual([stopped])
  expect(await command(api, ['stop', 'tenant'])).toMatchObject({ exit: 2, err: expect.stringContaining('--yes') })
  expect(await command(api, ['stop', 'agent'])).toMatchObject({ exit: 2 })
  expect(await command(api, ['stop', 'world', 'all'])).toMatchObject({ exit: 2, err: expect.stringContaining('run, agent, namespace or tenant') })
  for (const given of ['analyst', uuid(3), uuid(3).slice(-8)]) {
    expect(await command(api, ['resume', given])).toMatchObject({ exit: 0, out: expect.stringContaining('The stop of agent analyst is lifted') })
    expect(api.requests.at(-1)?.path).toBe(`/v1/stops/${uuid(3)}/lift`)
  }
  expect((await command(api, ['stops', 'list', '--all'])).out).toMatch(/agent analyst .* in force +it lies/)
  expect(api.requests.at(-1)?.path).toContain('all=true')
})

test('schedules are set with a cron expression, an interval or an instant, and shown with their next fires', async () => {
  await using api = await start()
  const set = (...more: string[]) => command(api, ['schedules', 'set', 'nightly', '--agent', 'analyst', ...more])
  expect((await set('--cron', '0 3 * * *', '--time-zone', 'Europe/Berlin')).out).toMatch(/fires +0 3 \* \* \* \(Europe\/Berlin\)\n +next +2026-11-21/)
  expect(api.requests.at(-1)?.body).toMatchObject({
    name: 'nightly',
    calendar: { kind: 'cron', cron: '0 3 * * *', timeZone: 'Europe/Berlin' },
    overlap: 'skip',
    catchUp: 'one',
  })
  await set('--every', '15m', '--overlap', 'queue', '--jitter', '90s', '--input', '{"a": 1}')
  expect(api.requests.at(-1)?.body).toMatchObject({ calendar: { kind: 'interval', everyMs: 900_000 }, overlap: 'queue', jitterMs: 90_000, input: { a: 1 } })
  await set('--at', '2026-12-01T09:00:00Z')
  expect(api.requests.at(-1)?.body).toMatchObject({ calendar: { kind: 'once', at: '2026-12-01T09:00:00Z' } })
  expect(await set()).toMatchObject({ exit: 2, err: expect.stringContaining('--cron, --every and --at') })
  expect(await set('--every', 'soon')).toMatchObject({ exit: 2 })
  expect(await set('--at', '2026-12-01T09:00:00Z', '--overlap', 'maybe')).toMatchObject({ exit: 2, err: expect.stringContaining('allow, skip, queue, cancel') })
  expect((await command(api, ['schedules', 'list'])).out).toMatch(/nightly +analyst +0 3/)
  expect((await command(api, ['schedules', 'pause', 'nightly'])).out).toMatch(/next +paused/)
  expect((await command(api, ['schedules', 'fires', 'nightly'])).out).toMatch(/skipped +overlap/)
  expect((await command(api, ['schedules', 'fire', 'nightly'])).out).toContain(uuid(5))
  expect(await command(api, ['schedules', 'delete', 'nightly'])).toMatchObject({ exit: 0, out: expect.stringContaining('its runs stay') })
})

test('hooks are set with what they take from the payload, and say what came to them', async () => {
  await using api = await start()
  const set = (...more: string[]) => command(api, ['hooks', 'set', 'issues', '--agent', 'analyst', '--scheme', 'github', '--secret', 'github-webhook', ...more])
  const { out } = await set('--event', 'issues', '--input', 'title=/issue/title', '--session', '/issue/number', '--tolerance', '1m')
  expect(out).toMatch(/address +\/hooks\/default\/issues\n/)
  expect(out).toMatch(/takes +title=\/issue\/title\n/)
  expect(api.requests.at(-1)?.body).toEqual({
    name: 'issues',
    agent: 'analyst',
    scheme: 'github',
    secret: 'github-webhook',
    action: { type: 'start', input: { title: '/issue/title' }, session: '/issue/number' },
    events: ['issues'],
    toleranceMs: 60_000,
  })
  await set('--signal', 'paid', '--run', '/data/run', '--input', '/data')
  expect(api.requests.at(-1)?.body).toMatchObject({ action: { type: 'signal', run: '/data/run', signal: 'paid', payload: '/data' } })
  await set()
  expect(api.requests.at(-1)?.body).toMatchObject({ action: { type: 'start', input: '' } })
  expect(await set('--signal', 'paid')).toMatchObject({ exit: 2, err: expect.stringContaining('--signal and --run') })
  expect(await set('--input', 'a=/b', '--input', '/c')).toMatchObject({ exit: 2, err: expect.stringContaining('--input is "/c"') })
  expect(await set('--input', 'issue.title')).toMatchObject({ exit: 2, err: expect.stringContaining('/data/id') })
  expect(await command(api, ['hooks', 'set', 'issues', '--agent', 'a', '--scheme', 'none', '--secret', 's'])).toMatchObject({ exit: 2 })
  expect((await command(api, ['hooks', 'list'])).out).toMatch(/issues +github +starts a run of analyst +\/hooks\/default\/issues/)
  expect((await command(api, ['hooks', 'pause', 'issues'])).out).toMatch(/paused +yes/)
  expect((await command(api, ['hooks', 'deliveries', 'issues', '--outcome', 'refused'])).out).toMatch(/refused +signature/)
  expect(api.requests.at(-1)?.path).toContain('outcome=refused')
  expect(await command(api, ['hooks', 'delete', 'issues'])).toMatchObject({ exit: 0, out: expect.stringContaining('its runs stay') })
})

test('a run can be started later, in a lane of its own, with a head start', async () => {
  await using api = await start()
  const started = await command(api, ['runs', 'start', 'analyst', '--lane-key', 'customer 7', '--priority', 'high', '--delay', '2h'])
  expect(started.exit).toBe(0)
  expect(api.requests.at(-1)?.body).toMatchObject({ laneKey: 'customer 7', priority: 'high', delayMs: 7_200_000 })
  expect(await command(api, ['runs', 'start', 'analyst', '--priority', 'urgent'])).toMatchObject({ exit: 2, err: expect.stringContaining('low, normal, high') })
})

test('messages are taken, printed one on a line, and acknowledged once they are', async () => {
  const message = {
    id: uuid(1),
    body: { type: 'run.completed' },
    runId: uuid(2),
    agent: 'analyst',
    sentAt: '2026-11-21T03:00:00.000Z',
    receiveCount: 1,
    receipt: uuid(3),
    visibleAt: '2026-11-21T03:01:00.000Z',
  }
  await using api = await startFakeApi({
    agents: [],
    answers: { 'queues.receive': { items: [message] }, 'queues.acknowledge': { done: [], left: [uuid(3)] }, 'queues.list': { items: [], next: null } },
  })
  expect((await command(api, ['queues', 'list'])).out).toContain('No queue has messages.')
  const taken = await command(api, ['queues', 'receive', 'results', '--wait', '5s', '--acknowledge'])
  expect(JSON.parse(taken.out)).toEqual(message)
  expect(api.requests.at(-2)).toMatchObject({ path: '/v1/queues/results/receive', body: { max: 10, visibilityMs: 30_000, waitMs: 5_000 } })
  expect(api.requests.at(-1)).toMatchObject({ path: '/v1/queues/results/acknowledge', body: { receipts: [uuid(3)] } })
  // A receipt that is void is said, and is an error.
  expect(await command(api, ['queues', 'acknowledge', 'results', uuid(3)])).toMatchObject({ exit: 1, out: expect.stringContaining('left') as string })
})

test('that runs are deleted has to be meant', async () => {
  const rule = { namespace: null, days: 90, setBy: 'ada', setAt: '2026-11-21T03:00:00.000Z' }
  await using api = await startFakeApi({ agents: [], answers: { 'retention.set': rule, 'retention.list': { items: [rule], next: null } } })
  expect(await command(api, ['retention', 'set', '90'])).toMatchObject({ exit: 2, err: expect.stringContaining('--yes') as string })
  expect(await command(api, ['retention', 'set', 'soon', '--yes'])).toMatchObject({ exit: 2 })
  expect(await command(api, ['retention', 'set', '90', '--yes'])).toMatchObject({ exit: 0, out: expect.stringContaining('90 days after their end') as string })
  expect(api.requests.at(-1)).toMatchObject({ path: '/v1/retention', body: { days: 90 } })
  await command(api, ['retention', 'set', 'forever', '--namespace', 'legal'])
  expect(api.requests.at(-1)).toMatchObject({ body: { namespace: 'legal', days: null } })
  expect((await command(api, ['retention', 'get'])).out).toMatch(/all others +90 +ada/)
})
