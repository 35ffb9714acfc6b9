/** A run as a file: whole or found out, and replayed against an agent's folder. */
import { createHash } from 'node:crypto'
import type { JournalEntry, Json, Run } from '@longhaul/protocol'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { events, startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { agents } from './support/stories.ts'
import { tempFolder } from './support/temp-folder.ts'

const stepsFolder = join(import.meta.dirname, '../../../bench/agents/steps')
const input = { count: 2, bytes: 3, isTimed: false }

function chained(list: [type: string, op: string | null, data: Json][]): JournalEntry[] {
  let previous = ''
  return list.map(([type, op, value], seq) => {
    const data = JSON.stringify(value)
    previous = createHash('sha256')
      .update(`${previous}\n${uuid(0)} ${seq} ${type} ${op ?? ''}\n${data}`)
      .digest('hex')
    return { seq, epoch: 1, at: '2026-11-21T03:00:00.000Z', type, op, data, hash: previous }
  })
}
const work = (output: string): Json => ({ kind: 'step', name: 'work', attempt: 1, output })
const journal = chained([
  ['run.started', null, { input }],
  ['step.completed', '0', work('xxx')],
  ['step.completed', '1', work('xxx')],
  ['run.completed', null, { output: [] }],
])

test('a run is exported, found whole, and replayed; whatever was changed in the file is found', async () => {
  const script = () =>
    events([
      { type: 'run.started', data: { input } },
      { type: 'run.completed', data: { output: [] } },
    ])
  await using api = await startFakeApi({ agents, script, journal })
  const folder = await tempFolder()
  const run = (...args: string[]) => command(api, args, { folder })
  await run('runs', 'start', 'analyst')
  expect(await run('runs', 'export', 'last', '--out', 'run.jsonl')).toMatchObject({ exit: 0, out: expect.stringContaining('with 4 events is in run.jsonl') })
  expect((await run('runs', 'export', 'last')).json()).toHaveLength(5)
  expect(await command(undefined, ['runs', 'verify', 'run.jsonl'], { folder })).toMatchObject({ exit: 0, out: expect.stringContaining('is whole: 4 events') })
  expect(await run('runs', 'replay', 'run.jsonl', stepsFolder)).toMatchObject({ exit: 0, out: expect.stringContaining('2 results matched') })

  const lines = readFileSync(join(folder, 'run.jsonl'), 'utf8').trim().split('\n')
  const tampered: [string[], RegExp][] = [
    [lines.with(2, lines[2]?.replace('xxx', 'xyx') ?? ''), /the chain breaks at event 1/],
    [lines.toSpliced(2, 1), /event 2 stands where 1 should/],
    [lines.slice(0, -1), /the run is completed, and its last event is step\.completed/],
    [lines.with(1, lines[2] ?? '').with(2, lines[1] ?? ''), /event 1 stands where 0 should/],
  ]
  for (const [changed, problem] of tampered) {
    writeFileSync(join(folder, 'changed.jsonl'), changed.join('\n'))
    expect(await run('runs', 'verify', 'changed.jsonl')).toMatchObject({ exit: 1, out: expect.stringMatching(problem) })
    expect(await run('runs', 'replay', 'changed.jsonl', stepsFolder)).toMatchObject({ exit: 2, err: expect.stringContaining('changed.jsonl is not whole') })
  }
  writeFileSync(join(folder, 'other.jsonl'), '{"format":"something else"}')
  expect(await run('runs', 'verify', 'other.jsonl')).toMatchObject({ exit: 2, err: expect.stringContaining('is not an exported run') })
})

test('code that does something else than the run is told at the first difference', async () => {
  const script = () =>
    events([
      { type: 'run.started', data: { input } },
      { type: 'run.completed', data: { output: [] } },
    ])
  const other = chained([
    ['run.started', null, { input }],
    ['step.completed', '0', work('xxx')],
    ['step.completed', '1', { kind: 'step', name: 'rest', attempt: 1, output: null }],
    ['run.completed', null, { output: [] }],
  ])
  await using api = await startFakeApi({ agents, script, journal: other })
  const folder = await tempFolder()
  await command(api, ['runs', 'start', 'analyst'], { folder })
  await command(api, ['runs', 'export', 'last', '--out', 'run.jsonl'], { folder })
  const replayed = await command(undefined, ['runs', 'replay', 'run.jsonl', stepsFolder, '--json'], { folder })
  expect(replayed).toMatchObject({ exit: 1 })
  expect(replayed.json()).toMatchObject([{ outcome: 'diverged', op: '1', recorded: 'step "rest" (completed)', asked: 'step "work"' }])
})

/** Two whole histories that the code matches, one that it does not, and one that was changed. */
async function makeHistories(...journals: Record<string, string>[]) {
  const folder = await tempFolder()
  for (const files of journals) for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}
async function exportedText(from: JournalEntry[]): Promise<string> {
  const script = () =>
    events([
      { type: 'run.started', data: { input } },
      { type: 'run.completed', data: { output: [] } },
    ])
  await using api = await startFakeApi({ agents, script, journal: from })
  await command(api, ['runs', 'start', 'analyst'])
  return (await command(api, ['runs', 'export', 'last'])).out
}

test('a folder of stored runs is tried one after the other: a line for each, the first difference named, and an exit code for CI', async () => {
  const good = await exportedText(journal)
  const other = await exportedText(
    chained([
      ['run.started', null, { input }],
      ['step.completed', '0', work('xxx')],
      ['step.completed', '1', { kind: 'step', name: 'rest', attempt: 1, output: null }],
      ['run.completed', null, { output: [] }],
    ]),
  )
  const all = await makeHistories({ 'a.jsonl': good, 'b.jsonl': good, 'notes.txt': 'no history' })
  const passed = await command(undefined, ['test-replay', all, stepsFolder])
  expect(passed).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/ok {5}a\.jsonl: .*2 results matched[\s\S]*ok {5}b\.jsonl[\s\S]*2 runs, all as recorded/),
  })

  const mixed = await makeHistories({ 'a.jsonl': other, 'b.jsonl': good.replace('xxx', 'xyx'), 'c.jsonl': good })
  const failed = await command(undefined, ['test-replay', mixed, stepsFolder])
  expect(failed).toMatchObject({
    exit: 1,
    out: expect.stringMatching(
      /FAILED a\.jsonl: The code diverges at 1\.\s+recorded: step "rest"[\s\S]*FAILED b\.jsonl: .*not whole: the chain breaks[\s\S]*ok {5}c\.jsonl[\s\S]*3 runs, 2 otherwise/,
    ),
  })
  expect((await command(undefined, ['test-replay', mixed, stepsFolder, '--json'])).json().map(({ file, outcome }) => [file, outcome])).toEqual([
    ['a.jsonl', 'diverged'],
    ['b.jsonl', 'unreadable'],
    ['c.jsonl', 'same'],
  ])
  // A folder that was moved must not pass for one in which all is well.
  expect(await command(undefined, ['test-replay', await makeHistories({}), stepsFolder])).toMatchObject({
    exit: 2,
    err: expect.stringContaining('No exported runs'),
  })
  expect(await command(undefined, ['test-replay', '/nowhere', stepsFolder])).toMatchObject({ exit: 2, err: expect.stringContaining('cannot be read') })
})

test('a run is imported, forked and compared', async () => {
  const run: Run = {
    id: uuid(5),
    namespace: 'default',
    agent: 'analyst',
    version: 'v1',
    state: 'completed',
    input: null,
    output: null,
    failure: null,
    wait: null,
    session: null,
    parent: null,
    continuedAs: null,
    asker: { id: uuid(1), name: 'ada', access: { personalData: true } },
    usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
    compute: { cpuMs: 0, memoryMbS: 0 },
    fork: { runId: uuid(0), op: '1', eventCount: 3, session: null, changes: {}, isLive: false, isWithoutFiles: true },
    eventCount: 4,
    createdAt: '2026-11-21T03:00:00.000Z',
    startedAt: null,
    endedAt: null,
  }
  const side = {
    runId: uuid(0),
    state: 'completed',
    usage: { input: 20, cachedInput: 0, output: 9, costUsd: 0.5 },
    withheldCount: 0,
    output: 'x',
    failure: null,
  }
  const compared = {
    a: side,
    b: { ...side, runId: uuid(5), withheldCount: 1, output: 'y' },
    prefixCount: 3,
    sameCount: 4,
    differentCount: 1,
    different: [
      {
        op: '2',
        kind: 'tool',
        name: 'pay',
        a: { outcome: 'completed', value: 'paid', input: { amount: 1 } },
        b: { outcome: 'withheld', value: 'Withheld', input: { amount: 2 } },
      },
    ],
    isSameAnswer: false,
  }
  await using api = await startFakeApi({ agents, answers: { 'runs.import': run, 'runs.fork': run, 'runs.compare': compared } })
  const folder = await makeHistories({ 'run.jsonl': await exportedText(journal) })
  expect(await command(api, ['runs', 'import', 'run.jsonl', '--namespace', 'lab'], { folder })).toMatchObject({
    exit: 0,
    out: expect.stringContaining(`is here as ${uuid(5)}`),
  })
  expect(api.requests.at(-1)?.body).toEqual({ agent: 'analyst', version: 'v1', exportedAs: uuid(0), journal, namespace: 'lab' })
  writeFileSync(join(folder, 'changed.jsonl'), readFileSync(join(folder, 'run.jsonl'), 'utf8').replace('xxx', 'xyx'))
  expect(await command(api, ['runs', 'import', 'changed.jsonl'], { folder })).toMatchObject({ exit: 2, err: expect.stringContaining('not whole') })

  const forked = await command(api, ['runs', 'fork', uuid(0), '--from', '1', '--model', 'two', '--input', '{"a":1}', '--output-tokens', '50'])
  expect(forked).toMatchObject({
    exit: 0,
    out: expect.stringMatching(/goes on from step 1, with 3 events taken over\. Its writes are withheld[^]*before that step is not in the fork/),
  })
  expect(api.requests.at(-1)?.body).toEqual({ op: '1', isLive: false, changes: { model: 'two', input: { a: 1 }, outputTokensMax: 50 } })
  for (const args of [
    ['runs', 'compare', uuid(0), uuid(5)],
    ['runs', 'fork', uuid(0), '--wait'],
  ])
    expect(await command(api, args)).toMatchObject({
      exit: 0,
      out: expect.stringMatching(/answer +x → y[\s\S]*steps +4 the same, 1 different, after 3 events[\s\S]*2 +tool pay +completed: paid +withheld: input/),
    })
})
