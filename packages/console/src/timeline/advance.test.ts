import type { EventData, EventType, LiveFrame, RunEvent } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { advance, liveCharsMax } from './advance.ts'
import { emptyTimeline } from './entry.ts'
import type { Timeline } from './entry.ts'

const start = Date.parse('2025-11-21T08:00:00.000Z')

/** Writes a history as a run would: numbered without gaps, ten milliseconds apart. */
function history(...facts: { [Type in EventType]: [Type, EventData<Type>, string?] }[EventType][]): RunEvent[] {
  return facts.map(
    ([type, data, op], seq) => ({ seq, type, data, at: new Date(start + seq * 10).toISOString(), ...(op === undefined ? {} : { op }) }) as RunEvent,
  )
}
const tool = (name: string, attempt = 1) => ({ kind: 'tool' as const, name, attempt })
const exec = { kind: 'exec' as const, name: 'ls', attempt: 1 }
const failure = { message: 'boom', retryable: true, stack: 'Error: boom\n    at tool.ts:1:1' }

const fold = (frames: (RunEvent | LiveFrame)[], from: Timeline = emptyTimeline) => advance(from, frames)
const entry = (timeline: Timeline, key: string) => {
  const found = timeline.entries.get(key)
  if (!found) throw new Error(`no entry ${key} among ${[...timeline.entries.keys()].join(' ')}`)
  return found
}

describe('the tree', () => {
  test('an operation lies inside the one whose path begins its own', () => {
    const timeline = fold(
      history(
        ['step.started', tool('bash'), '3'],
        ['step.started', exec, '3.0'],
        ['step.completed', { ...exec, output: 1 }, '3.0'],
        ['step.completed', { ...tool('bash'), output: 'ok' }, '3'],
      ),
    )
    expect(timeline.roots).toEqual(['3'])
    expect(entry(timeline, '3').children).toEqual(['3.0'])
    expect(entry(timeline, '3.0')).toMatchObject({ parent: '3', state: 'completed', output: 1 })
  })

  test('a program that waits for an answer has ended an attempt, which did not fail, and the next one goes on', () => {
    const invoke = { kind: 'invoke' as const, name: 'invocations' }
    const asked = history(
      ['step.started', { ...invoke, attempt: 1 }, '0'],
      ['wait.created', { kind: 'approval', name: 'Pay?', until: null, ruleFrom: { policies: ['pay'], isOfCode: false } }, '0.0'],
      ['step.paused', { ...invoke, attempt: 1, waits: ['0.0'], durationMs: 15 }, '0'],
      ['wait.completed', { kind: 'approval', name: 'Pay?', output: { approved: true } }, '0.0'],
      ['step.started', { ...invoke, attempt: 2 }, '0'],
    )
    const paused = fold(asked.slice(0, 3))
    expect(entry(paused, '0')).toMatchObject({ state: 'waiting', failure: null, attempts: [{ attempt: 1, failure: null }], endedAt: null })
    expect(entry(paused, '0.0').wait).toMatchObject({ ruleFrom: { policies: ['pay'] } })
    expect(entry(fold(asked), '0')).toMatchObject({ state: 'running', attempts: [{ attempt: 1 }, { attempt: 2 }] })
    expect(fold(asked).retryCount).toBe(0)
  })

  test('branches that no event tells of follow from the paths inside them', () => {
    const timeline = fold(history(['step.started', tool('a'), '1.0.0'], ['step.started', tool('b'), '1.1.0']))
    expect(timeline.roots).toEqual(['1'])
    expect(entry(timeline, '1')).toMatchObject({ subject: { type: 'branch' }, children: ['1.0', '1.1'] })
    expect(entry(timeline, '1.1').children).toEqual(['1.1.0'])
  })

  test('a branch that turns out to be a step keeps what is inside it', () => {
    const timeline = fold(history(['step.started', exec, '2.0'], ['step.started', tool('late'), '2']))
    expect(entry(timeline, '2')).toMatchObject({ subject: { type: 'step', kind: 'tool' }, name: 'late', children: ['2.0'] })
    expect(timeline.roots).toEqual(['2'])
  })

  test('what has no path of its own gets a line by its number', () => {
    const timeline = fold(
      history(
        ['run.started', { input: 'q' }],
        ['run.interrupted', { reason: 'worker_lost', message: 'gone', isSuspect: false }],
        ['signal.received', { name: 'go', payload: 7, by: 'ann' }],
      ),
    )
    expect(timeline.roots).toEqual(['e0', 'e1', 'e2'])
    expect(entry(timeline, 'e2')).toMatchObject({ subject: { type: 'mark', event: 'signal.received' }, input: 7, output: 'ann' })
  })
})

describe('tries', () => {
  test('a failure that is retried keeps its reason and stack beside the try that succeeded', () => {
    const timeline = fold(history(['step.started', tool('t'), '0'], ['step.failed', { ...tool('t'), failure, retryInMs: 500 }, '0']))
    expect(entry(timeline, '0')).toMatchObject({ state: 'retrying', failure, endedAt: null })
    const [, , ...rest] = history(
      ['run.started', { input: null }],
      ['run.started', { input: null }],
      ['step.started', tool('t', 2), '0'],
      ['step.completed', { ...tool('t', 2), output: 'fine' }, '0'],
    )
    const after = fold(rest, timeline)
    expect(entry(after, '0')).toMatchObject({ state: 'completed', output: 'fine', failure: null })
    expect(entry(after, '0').attempts).toMatchObject([
      { attempt: 1, failure, retryInMs: 500 },
      { attempt: 2, failure: null },
    ])
    expect(after.retryCount).toBe(1)
  })

  test('a failure without a retry is the end of the step', () => {
    const timeline = fold(history(['step.started', tool('t'), '0'], ['step.failed', { ...tool('t'), failure, retryInMs: null }, '0']))
    expect(entry(timeline, '0')).toMatchObject({ state: 'failed', failure })
    expect(entry(timeline, '0').endedAt).toBe(start + 10)
    expect(timeline.retryCount).toBe(0)
  })

  test('a lost worker marks what was going on, and the next try shows that the one before was cut off', () => {
    const events = history(
      ['step.started', tool('t'), '0'],
      ['run.interrupted', { reason: 'worker_lost', message: 'SIGKILL', isSuspect: false }],
      ['step.started', tool('t'), '0'],
      ['step.completed', { ...tool('t'), output: 1 }, '0'],
    )
    const cut = fold(events.slice(0, 2))
    expect(entry(cut, '0')).toMatchObject({ state: 'interrupted', endedAt: null })
    const done = fold(events.slice(2), cut)
    expect(entry(done, '0').attempts).toMatchObject([
      { isInterrupted: true, endedAt: start + 10 },
      { isInterrupted: false, endedAt: start + 30 },
    ])
    expect(done.interruptionCount).toBe(1)
  })

  test('a step of the server that outlives the worker is one try, not two', () => {
    const events = history(
      ['step.started', exec, '0'],
      ['run.interrupted', { reason: 'worker_lost', message: 'SIGKILL', isSuspect: false }],
      ['step.completed', { ...exec, output: 1 }, '0'],
    )
    expect(entry(fold(events), '0').attempts).toMatchObject([{ isInterrupted: false, startedAt: start, endedAt: start + 20 }])
  })

  test('a step of which only the end was recorded began its duration before', () => {
    const [, ...events] = history(['run.started', { input: null }], ['step.completed', { ...exec, output: 1, durationMs: 4 }, '0'])
    expect(entry(fold(events), '0')).toMatchObject({ startedAt: start + 6, endedAt: start + 10, state: 'completed' })
  })
})

describe('waits and ends', () => {
  test('a wait is open until its end is recorded', () => {
    const events = history(
      ['wait.created', { kind: 'approval', name: 'Refund?', until: null, detail: { usd: 5 } }, '4'],
      ['wait.completed', { kind: 'approval', name: 'Refund?', output: { approved: true } }, '4'],
    )
    expect(entry(fold(events.slice(0, 1)), '4')).toMatchObject({ state: 'waiting', input: { usd: 5 }, endedAt: null })
    expect(entry(fold(events), '4')).toMatchObject({ state: 'completed', output: { approved: true }, endedAt: start + 10 })
  })

  test('taking a parked run up again ends its wait for an operator and no other', () => {
    const timeline = fold(
      history(
        ['wait.created', { kind: 'signal', name: 'go', until: null }, '1'],
        ['wait.created', { kind: 'operator', name: 'diverged', until: null, reason: 'diverged' }],
        ['run.resumed', { by: 'ann' }],
      ),
    )
    expect(entry(timeline, 'e1').state).toBe('completed')
    expect(entry(timeline, '1').state).toBe('waiting')
  })

  test('what was still going on when the run ended is not shown as going on for ever', () => {
    const timeline = fold(history(['step.started', tool('t'), '0'], ['run.cancelled', { by: 'ann', reason: 'enough' }]))
    expect(entry(timeline, '0')).toMatchObject({ state: 'abandoned', endedAt: start + 10 })
    expect(timeline.endedAt).toBe(start + 10)
  })
})

describe('streams', () => {
  const delta = (text: string): LiveFrame => ({ type: 'text-delta', op: '0', text })
  const model = { kind: 'model' as const, name: 'model', attempt: 1 }

  test('text and output gather while a step goes on and give way to what is recorded', () => {
    const [begun, done] = history(['step.started', model, '0'], ['step.completed', { ...model, output: 'whole' }, '0'])
    const timeline = fold([begun!, delta('Hel'), delta('lo'), { type: 'output-delta', op: '0', stream: 'stderr', text: 'warn' }])
    expect(entry(timeline, '0').live).toEqual({ text: 'Hello', stdout: '', stderr: 'warn' })
    expect(entry(fold([done!], timeline), '0').live).toBeNull()
  })

  test('a frame that comes after the end of its step, or of a step never seen, changes nothing', () => {
    const timeline = fold(history(['step.started', model, '0'], ['step.completed', { ...model, output: 1 }, '0']))
    const after = fold([delta('late'), { type: 'text-delta', op: '9', text: 'x' }], timeline)
    expect([...after.entries]).toEqual([...timeline.entries])
  })

  test('a stream without end does not fill the memory', () => {
    const timeline = fold([...history(['step.started', model, '0']), ...Array.from({ length: 30 }, () => delta('x'.repeat(10_000)))])
    expect(entry(timeline, '0').live?.text.length).toBe(liveCharsMax)
  })
})

describe('resuming', () => {
  const events = history(
    ['run.started', { input: 'q' }],
    ['step.started', tool('a'), '0'],
    ['step.failed', { ...tool('a'), failure, retryInMs: 5 }, '0'],
    ['run.interrupted', { reason: 'worker_hung', message: 'm', isSuspect: false }],
    ['step.started', tool('a', 2), '0'],
    ['step.started', exec, '0.0'],
    ['step.completed', { ...exec, output: 1 }, '0.0'],
    ['step.completed', { ...tool('a', 2), output: 2 }, '0'],
    ['run.completed', { output: 'done' }],
  )

  test('cut anywhere and overlapping, the pieces give the same timeline as the whole', () => {
    const whole = fold(events)
    for (let cut = 0; cut <= events.length; cut++) expect(fold(events.slice(Math.max(0, cut - 3)), fold(events.slice(0, cut)))).toEqual(whole)
  })

  test('the timeline before is never changed, and untouched entries stay the same objects', () => {
    const before = fold(events.slice(0, 7))
    const copy = structuredClone([...before.entries])
    const after = fold(events.slice(7), before)
    expect([...before.entries]).toEqual(copy)
    expect(after.entries.get('0.0')).toBe(before.entries.get('0.0'))
  })
})
