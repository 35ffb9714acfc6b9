/** A run as a file: whole or found out, and replayed against an agent's folder. */
import { createHash } from 'node:crypto'
import type { JournalEntry, Json } from '@longhaul/protocol'
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { events, startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { agents } from './support/stories.ts'

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
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-history-'))
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
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-history-'))
  await command(api, ['runs', 'start', 'analyst'], { folder })
  await command(api, ['runs', 'export', 'last', '--out', 'run.jsonl'], { folder })
  const replayed = await command(undefined, ['runs', 'replay', 'run.jsonl', stepsFolder, '--json'], { folder })
  expect(replayed).toMatchObject({ exit: 1 })
  expect(replayed.json()).toMatchObject([{ outcome: 'diverged', op: '1', recorded: 'step "rest" (completed)', asked: 'step "work"' }])
})
