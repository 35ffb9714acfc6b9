import type { Approval } from '@longhaul/protocol'
import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { events, rootKey, startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { agents, eventful, system } from './support/stories.ts'

const approval = (n: number, title: string): Approval => ({
  id: uuid(300 + n),
  runId: uuid(0),
  agent: 'analyst',
  title,
  detail: null,
  state: 'pending',
  decidedBy: null,
  comment: null,
  createdAt: '2026-11-21T02:00:00.000Z',
  expiresAt: null,
  decidedAt: null,
})
const started = () => startFakeApi({ agents, system, script: () => eventful(), approvals: [approval(1, 'Refund $40?'), approval(2, 'Send 412 reminders?')] })
const ask = ['ask', 'analyst', 'q', '--quiet', '--out', tmpdir()]

test('a policy that asks people says how many and who', async () => {
  const rule = { approversMin: 2, excludesAsker: true, roles: ['approver'], escalateAfterMs: 7_200_000 }
  const verdict = { isAllowed: false, policies: ['refund-limit'], errors: [], mayBeApproved: true, ms: 0.1 }
  await using api = await startFakeApi({ answers: { 'policies.test': { ...verdict, rule } } })
  const told = await command(api, ['policies', 'test', 'tools.call', '--resource', 'refund'], { columns: 160 })
  expect(told).toMatchObject({
    exit: 4,
    out: expect.stringMatching(/a person is asked[^]*2 people or keys of the roles approver, not the asker, after 2 h 0 min any who may decide/),
  })
  await using plain = await startFakeApi({ answers: { 'policies.test': verdict } })
  expect((await command(plain, ['policies', 'test', 'tools.call'])).out).toMatch(/needs +one of those who may decide\n/)
  await using forbidden = await startFakeApi({ answers: { 'policies.test': { ...verdict, mayBeApproved: false } } })
  expect((await command(forbidden, ['policies', 'test', 'tools.call'])).out).not.toContain('needs')
})

test('an approval says by which rule it is decided, and whether policies or the code asks for that', async () => {
  const rule = { approversMin: 2, excludesAsker: false, roles: ['approver' as const] }
  const approvals = [
    { ...approval(1, 'Pay?'), rule, ruleFrom: { policies: ['payments#2'], isOfCode: false } },
    { ...approval(2, 'Ship?'), ruleFrom: { policies: [], isOfCode: false } },
    { ...approval(3, 'Send?'), rule, ruleFrom: { policies: ['mails', 'people'], isOfCode: true }, escalatesAt: '2026-12-01T00:00:00.000Z' },
  ]
  await using api = await startFakeApi({ agents, system, approvals, sources: [] })
  const shown = async (n: number) => (await command(api, ['approvals', 'show', uuid(300 + n)])).out.replaceAll(/\s+/g, ' ')
  expect(await shown(1)).toContain('needs 2 people or keys of the roles approver, as policy payments#2 asks')
  expect(await shown(2)).toContain("needs one of those who may decide, as the agent's code asks")
  expect(await shown(3)).toContain(
    "needs 2 people or keys of the roles approver, from 2026-12-01T00:00:00.000Z on any who may decide, as policies mails, people and the agent's code ask",
  )
})

test('a run goes by its id, the end of it, or the word last', async () => {
  await using api = await startFakeApi({
    agents,
    script: () =>
      events([
        { type: 'run.started', data: { input: 'q' } },
        { type: 'run.completed', data: { output: 'ok' } },
      ]),
  })
  for (let n = 0; n < 3; n++) await command(api, ask)
  for (const [given, id] of [
    [uuid(1), uuid(1)],
    ['00000001', uuid(1)],
    ['last', uuid(2)],
  ] as const)
    expect((await command(api, ['runs', 'get', given, '--json'])).json()).toEqual([expect.objectContaining({ id })])
  expect(await command(api, ['runs', 'get', 'ffff'])).toMatchObject({ exit: 5, err: expect.stringContaining('No run "ffff" among the last 3.') })
})

test('runs list, get and events are tables for people and JSON for machines', async () => {
  await using api = await started()
  expect(await command(api, ['runs', 'list'])).toMatchObject({ exit: 0, out: expect.stringContaining('No runs yet.') })
  await command(api, ask)
  const list = await command(api, ['runs', 'list', '--agent', 'analyst', '--limit', '5'])
  expect(list.out).toMatch(new RegExp(`${uuid(0)} {2}analyst {2}completed {2}\\d.* ago {2}q`))
  expect(api.requests.at(-1)?.path).toBe('/v1/runs?limit=5&agent=analyst')
  expect((await command(api, ['runs', 'list', '--json'])).json()).toEqual([{ items: [expect.objectContaining({ id: uuid(0) })], next: null }])
  expect(await command(api, ['runs', 'list', '--state', 'done'])).toMatchObject({ exit: 2, err: expect.stringContaining('pending, running, waiting') })
  const watched = await command(api, ['runs', 'list'], { isTty: true, env: { NO_COLOR: '1' } })
  expect(watched.out).toContain('00000000  analyst  completed')

  expect((await command(api, ['runs', 'get', 'last'])).out).toContain(`  run       ${uuid(0)}\n`)
  const history = await command(api, ['runs', 'events', 'last', '--json', '--after', '3'])
  expect(history.json().map(({ seq }) => seq)).toEqual(Array.from({ length: 26 }, (_, at) => at + 4))
  expect((await command(api, ['runs', 'events', 'last'])).out).toMatch(/14 {2}step.failed {6}4 +\d\d:00:0\d {2}The provider answered 529: overloaded./)
  expect((await command(api, ['runs', 'step', 'last', '1.0.0.0'])).out).toContain('exec bash')
})

test('watch tells the whole story of a run that has ended', async () => {
  await using api = await started()
  await command(api, ask)
  const { exit, out } = await command(api, ['runs', 'watch', 'last', '--out', tmpdir()])
  expect(exit).toBe(5) // Its files are gone from this server: that is said, not passed over.
  expect(out).toContain('● bash')
})

test('start takes any JSON from the command line, a file or standard input', async () => {
  await using api = await started()
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-input-'))
  await writeFile(join(folder, 'in.json'), '{"from":"file"}')
  await command(api, ['runs', 'start', 'analyst', '--input', '{"orderId":7}', '--session', 's', '--idempotency-key', 'k'])
  await command(api, ['runs', 'start', 'analyst', '--input', '@in.json'], { folder })
  await command(api, ['runs', 'start', 'analyst', '--input', '-'], { stdin: '[1]' })
  await command(api, ['runs', 'start', 'analyst'])
  expect(api.requests.map(({ body }) => (body as { input: unknown }).input)).toEqual([{ orderId: 7 }, { from: 'file' }, [1], null])
  expect(api.requests[0]?.body).toEqual({ agent: 'analyst', input: { orderId: 7 }, session: 's', idempotencyKey: 'k' })
  expect(await command(api, ['runs', 'start', 'analyst', '--input', 'hello'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining(`A text needs quotes of its own: '"hello"'`),
  })
  expect(await command(api, ['runs', 'start', 'analyst', '--input', '@none.json'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('none.json cannot be read: ENOENT'),
  })
})

test('cancel, retry and signal say what became of the run', async () => {
  await using api = await startFakeApi({ agents, script: () => events([{ type: 'run.started', data: { input: 'q' } }, { type: 'cut' }]) })
  await command(api, ['runs', 'start', 'analyst'])
  expect(await command(api, ['runs', 'signal', 'last', 'paid', '{"amount":120}'])).toMatchObject({
    exit: 0,
    out: expect.stringContaining('Signal paid is with run'),
  })
  expect(api.requests.at(-1)).toMatchObject({ path: `/v1/runs/${uuid(0)}/signals/paid`, body: { payload: { amount: 120 } } })
  expect(await command(api, ['runs', 'retry', 'last'])).toMatchObject({ exit: 6, err: expect.stringContaining('waits for an operator') })
  expect(await command(api, ['runs', 'cancel', 'last', '--reason', 'wrong'])).toMatchObject({ exit: 0, out: `  Run ${uuid(0)} is cancelled.\n` })
  expect(api.requests.at(-1)?.body).toEqual({ reason: 'wrong' })
})

test('a write in doubt is shown with what to do, and decided', async () => {
  const script = () =>
    events([
      { type: 'run.started', data: { input: 'q' } },
      { type: 'step.started', op: '3', data: { kind: 'tool', name: 'refund', attempt: 1, input: {}, effect: 'write' } },
      { type: 'step.doubted', op: '3', data: { kind: 'tool', name: 'refund', attempt: 1, needs: 'person', message: 'Its worker was lost.' } },
      { type: 'cut' },
    ])
  await using api = await startFakeApi({ agents, script })
  await command(api, ['runs', 'start', 'analyst'])
  expect((await command(api, ['runs', 'events', 'last'])).out).toContain('tool refund · person decides: Its worker was lost.')
  expect(await command(api, ['runs', 'decide', 'last', '--execute'])).toMatchObject({ exit: 6, err: expect.stringContaining('waits for no decision') })
  expect(await command(api, ['runs', 'decide', 'last'])).toMatchObject({ exit: 2, err: expect.stringContaining('one of --completed, --failed and --execute') })
  const run = api.runs[0]?.run
  Object.assign(run ?? {}, { state: 'waiting', wait: { kind: 'operator', name: 'refund', until: null, reason: 'in_doubt', op: '3' } })
  expect((await command(api, ['runs', 'get', 'last'])).out).toMatch(/operator refund \(in_doubt\)[^]*runs decide/)
  expect(await command(api, ['runs', 'decide', 'last', '--completed', '{"receipt":9}'])).toMatchObject({
    exit: 0,
    out: expect.stringContaining('Step 3 of run'),
  })
  expect(api.requests.at(-1)).toMatchObject({ path: `/v1/runs/${uuid(0)}/steps/3/decision`, body: { decision: 'completed', output: { receipt: 9 } } })
})

test('what needs attention is listed, tried again and dismissed, in bulk too', async () => {
  const item = { kind: 'run' as const, runId: uuid(401), agent: 'analyst', createdAt: '2026-11-21T03:00:00.000Z' }
  const attention = [
    { ...item, id: uuid(401), reason: 'failed' as const, message: 'the disk is full' },
    { ...item, id: uuid(402), reason: 'in_doubt' as const, message: 'whether refund took effect is not known' },
  ]
  const delivery = { runId: uuid(401), agent: 'analyst', attempt: 12, dueAt: null, createdAt: item.createdAt, endedAt: item.createdAt }
  const deliveries = [
    {
      ...delivery,
      id: uuid(501),
      state: 'failed' as const,
      failure: 'It answered 500',
      destination: { type: 'webhook' as const, url: 'https://example.com/hook', on: ['failed' as const] },
    },
  ]
  await using api = await startFakeApi({ agents, attention, deliveries })
  expect((await command(api, ['attention', 'list'])).out).toMatch(/failed {4}analyst .*the disk is full[^]*in_doubt/)
  expect(await command(api, ['attention', 'retry'])).toMatchObject({ exit: 2, err: expect.stringContaining('--all') })
  expect(await command(api, ['attention', 'list', '--reason', 'tired'])).toMatchObject({ exit: 2, err: expect.stringContaining('diverged, poison') })
  expect(await command(api, ['attention', 'retry', '--all', '--reason', 'failed'])).toMatchObject({ exit: 0, out: '  2 things tried again.\n' })
  expect(api.requests.at(-1)).toMatchObject({ path: '/v1/attention/retry', body: { ids: [uuid(401), uuid(402)] } })
  expect((await command(api, ['attention', 'fork', uuid(401), '--agent-version', 'v2', '--live'])).out).toMatch(
    /1 thing forked; writes take effect.\n.* goes on as/,
  )
  expect(api.requests.at(-1)).toMatchObject({ path: '/v1/attention/fork', body: { ids: [uuid(401)], changes: { version: 'v2' }, isLive: true } })
  expect(await command(api, ['attention', 'dismiss', uuid(401).slice(-8)])).toMatchObject({ exit: 0, out: '  1 thing dismissed.\n' })
  expect(await command(api, ['attention', 'dismiss', 'ffffffff'])).toMatchObject({ exit: 5, err: expect.stringContaining('ends in "ffffffff"') })
  await command(api, ['runs', 'start', 'analyst', '--webhook', 'https://example.com/hook', '--queue', 'results'])
  expect(api.requests.at(-1)).toMatchObject({
    body: {
      destinations: [
        { type: 'webhook', url: 'https://example.com/hook' },
        { type: 'queue', queue: 'results' },
      ],
    },
  })
  expect((await command(api, ['runs', 'deliveries', 'last'])).out).toMatch(/https:\/\/example\.com\/hook +failed +12 +It answered 500/)
})

test('what an approval asks for is answered field by field, as each field takes it', async () => {
  const fields = [
    { name: 'seats', kind: 'integer', title: 'Seats', isRequired: true },
    { name: 'quiet', kind: 'yes-no', title: 'Quiet', isRequired: false },
    { name: 'meals', kind: 'choices', title: 'Meals', isRequired: false, options: ['a', 'b'].map((value) => ({ value, title: value })) },
  ]
  const detail = { tool: 'rail__book', input: {}, asks: [{ key: 'k', message: 'How many?', fields }] }
  await using api = await startFakeApi({ agents, system, approvals: [{ ...approval(1, 'A tool server asks'), detail }] })
  const approve = (...answers: string[]) => command(api, ['approvals', 'approve', uuid(301), ...answers.flatMap((one) => ['--answer', one])])
  expect(await approve('places=2')).toMatchObject({ exit: 2, err: expect.stringContaining('seats, quiet, meals') })
  expect(await approve('seats=2', 'quiet=yes', 'meals=a,b')).toMatchObject({ exit: 0 })
  expect(api.requests.at(-1)).toMatchObject({ body: { approved: true, answers: { k: { seats: 2, quiet: true, meals: ['a', 'b'] } } } })
})

test('of an approval it is shown where each argument comes from, and whose words from outside it is', async () => {
  const nobody = { name: null, runId: null, op: null, labels: [] }
  await using api = await startFakeApi({
    agents,
    system,
    approvals: [{ ...approval(1, 'Send it?'), detail: { tool: 'send', input: { to: 'thief@evil.example', text: 'Hello' } } }],
    sources: [
      { path: ['input', 'to'], text: 'thief@evil.example', kind: 'step', name: 'fetch_page', runId: uuid(0), op: '1.0', labels: ['web:evil.example'] },
      { path: ['input', 'text'], text: 'Hello\nall', kind: 'agent', ...nobody },
    ],
  })
  const { out, exit } = await command(api, ['approvals', 'show', '0000012d'])
  expect(exit).toBe(0)
  expect(out).toMatch(/has read +web:evil\.example\n/)
  expect(out).toMatch(/input\.to +thief@evil\.example +fetch_page \(step 1\.0\) +web:evil\.example\n/)
  expect(out).toMatch(/input\.text +Hello.all +the agent itself/)
  expect((await command(api, ['approvals', 'show', uuid(301), '--json'])).json()).toEqual([expect.objectContaining({ isCut: false })])
})

test('approvals are listed, approved and denied; the first answer wins', async () => {
  await using api = await started()
  expect((await command(api, ['approvals', 'list'])).out).toMatch(/pending {2}analyst {2}\d.* ago {2}Refund \$40\?/)
  expect(await command(api, ['approvals', 'approve', '0000012d', '--comment', 'ok'])).toMatchObject({ exit: 0, out: '  Approved: Refund $40?\n' })
  expect(await command(api, ['approvals', 'deny', uuid(302)])).toMatchObject({ exit: 0, out: '  Denied: Send 412 reminders?\n' })
  expect(await command(api, ['approvals', 'deny', uuid(301)])).toMatchObject({ exit: 6, err: expect.stringContaining('It was approved before.') })
  expect((await command(api, ['approvals', 'list'])).out).toContain('Nothing waits for a yes or no.')
  expect((await command(api, ['approvals', 'list', '--all', '--json'])).json()).toEqual([
    expect.objectContaining({ items: [expect.objectContaining({ comment: 'ok' }), expect.anything()] }),
  ])
})

test('agents and status tell what there is', async () => {
  await using api = await started()
  expect((await command(api, ['agents', 'list'])).out).toContain('hello    broken         agent.ts: Cannot find package "left-pad".')
  expect((await command(api, ['agents', 'get', 'analyst'])).out).toContain('npx longhaul ask analyst "本季度新增了多少客户？"')
  expect(await command(api, ['agents', 'get', 'helo'])).toMatchObject({ exit: 5, err: expect.stringContaining('Did you mean hello?') })
  expect((await command(api, ['status'])).out).toContain('offline/planner (offline stand-in, not a language model)')
  expect((await command(api, ['status'])).out).toContain('not configured: links to people are copied by hand')
  expect((await command(api, ['status', '--json'])).json()).toEqual([system])
})

test('a key is made with the access and permissions that were asked for, and revoked by name', async () => {
  await using api = await started()
  const made = await command(api, [
    'keys',
    'create',
    'board',
    '--region',
    'EMEA',
    '--region',
    'APAC',
    '--no-personal-data',
    '--permission',
    'runs:read',
    '--permission',
    'runs:write',
    '--json',
  ])
  expect(api.requests.at(-1)?.body).toEqual({
    name: 'board',
    access: { regions: ['EMEA', 'APAC'], personalData: false },
    permissions: ['runs:read', 'runs:write'],
  })
  expect(made.json()[0]).toMatchObject({ secret: 'lh_1' })
  await command(api, ['keys', 'create', 'all'])
  expect(api.requests.at(-1)?.body).toEqual({ name: 'all', access: { personalData: true } })
  expect(await command(api, ['keys', 'create', 'x', '--permission', 'run:read'])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('Did you mean runs:read?'),
  })
  expect((await command(api, ['keys', 'list'])).out).toMatch(/board {2}never {2}only EMEA, APAC · no personal data/)
  expect(await command(api, ['keys', 'delete', 'board'])).toMatchObject({ exit: 0, out: expect.stringContaining('Key board') })
  expect(api.keys.map(({ name }) => name)).toEqual(['root', 'all'])
  expect((await command(api, ['keys', 'list', '--key', rootKey])).out).not.toContain('lh_')
})

test('a missing permission is exit code 4 and says who can help', async () => {
  await using api = await started()
  await command(api, ['keys', 'create', 'small', '--permission', 'runs:read'])
  expect(await command(api, ['keys', 'create', 'more', '--key', 'lh_1'])).toMatchObject({
    exit: 4,
    err: expect.stringContaining('npx longhaul keys create <name> --permission'),
  })
})

test('help has examples everywhere, nothing typed is help, and the version is one line', async () => {
  const topics = [
    'ask',
    'runs',
    'runs list',
    'runs get',
    'runs start',
    'runs watch',
    'runs cancel',
    'runs retry',
    'runs decide',
    'runs events',
    'runs step',
    'runs signal',
    'runs export',
    'runs verify',
    'runs replay',
    'runs deliveries',
    'attention',
    'attention list',
    'attention retry',
    'attention dismiss',
    'approvals',
    'approvals list',
    'approvals show',
    'approvals approve',
    'approvals deny',
    'agents',
    'agents list',
    'agents get',
    'keys',
    'keys create',
    'keys list',
    'keys delete',
    'eval',
    'status',
    'version',
  ]
  for (const topic of topics) {
    const help = await command(undefined, [...topic.split(' '), '--help'])
    expect(help, topic).toMatchObject({ exit: 0, err: '', out: expect.stringContaining('Examples:\n  npx longhaul') })
  }
  expect(await command(undefined, [])).toMatchObject({ exit: 0, out: expect.stringContaining('Usage: longhaul') })
  expect(await command(undefined, ['version'])).toMatchObject({ exit: 0, out: '9.9.9\n' })
  expect(await command(undefined, ['--version'])).toMatchObject({ exit: 0, out: '9.9.9\n' })
  expect((await command(undefined, ['version', '--json'])).json()).toEqual([{ version: '9.9.9', node: process.versions.node }])
})
