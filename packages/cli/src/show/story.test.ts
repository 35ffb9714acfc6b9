import type { EventData, Json, RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { createStory, shortInput } from './story.ts'
import { columnsOf } from './text.ts'

const page = { width: 80, paint: (_: unknown, text: string) => text }
const runId = '0198c1f2-8a3e-7d41-9c4e-000000000000'
const at = '2026-11-21T03:00:00.000Z'

function told(...events: object[]): string[] {
  const story = createStory(page, runId)
  return events.flatMap((event) => story.tell({ at, seq: 0, ...event } as RunEvent))
}
const waits = (data: Partial<EventData<'wait.created'>>) => told({ type: 'wait.created', op: '1', data: { until: null, name: 'x', ...data } })
const ended = (kind: string, output: Json, more = {}) => told({ type: 'wait.completed', op: '1', data: { kind, name: 'refund', output, ...more } })

test('a wait says for what, and which command ends it', () => {
  expect(waits({ kind: 'approval', name: 'Refund $40?', approvalId: 'a-1' })).toEqual([
    '  ○ waiting    for a yes or no: Refund $40?',
    '               npx longhaul approvals approve a-1',
  ])
  const ruled = { rule: { approversMin: 2, excludesAsker: true }, ruleFrom: { policies: ['refunds'], isOfCode: false } }
  expect(
    waits({ kind: 'approval', name: 'Refund $40?', approvalId: 'a-1', ...ruled })
      .join(' ')
      .replaceAll(/ +/g, ' '),
  ).toContain('for a yes or no: Refund $40? (2 people or keys of those who may decide, not the asker, as policy refunds asks)')
  expect(waits({ kind: 'signal', name: 'paid' })).toEqual(['  ○ waiting    for signal paid', `               npx longhaul runs signal ${runId} paid`])
  expect(waits({ kind: 'operator', name: 'parked', reason: 'poison' })).toEqual([
    '  ○ waiting    for an operator: it keeps killing its worker',
    `               npx longhaul runs retry ${runId}`,
  ])
  expect(waits({ kind: 'operator', name: 'parked', reason: 'diverged' })[0]).toBe('  ○ waiting    for an operator: its code no longer matches its history')
  expect(waits({ kind: 'timer', name: 'cool down', until: at })).toEqual([expect.stringMatching(/^ {2}○ waiting {4}cool down until 2026-11-2\d \d\d:00$/)])
})

test('the end of a wait says who decided and what', () => {
  expect(ended('approval', { approved: true, by: 'wei', comment: 'checked' })).toEqual(['  ● approval   approved by wei: checked'])
  expect(ended('approval', { approved: false, by: 'wei', comment: null })).toEqual(['  ● approval   denied by wei'])
  expect(ended('approval', null, { timedOut: true })).toEqual(['  ▲ approval   refund: nobody answered in time'])
  expect(ended('timer', null)).toEqual(['  ● timer      refund is over'])
})

test('what a tool did inside stands under its call, also from branches of its own', () => {
  const exec = {
    exitCode: null,
    signal: 'SIGKILL',
    stdout: 'one\ntwo\nthree\nfour\n',
    stderr: '',
    isTruncated: false,
    isTimedOut: false,
    durationMs: 1,
    driver: 'bwrap',
  }
  expect(
    told(
      { type: 'step.started', op: '2', data: { kind: 'tool', name: 'analyse', attempt: 1, input: { path: 'a.csv' } } },
      { type: 'step.started', op: '2.1.0.3', data: { kind: 'exec', name: 'python', attempt: 1 } },
      { type: 'step.completed', op: '2.1.0.3', data: { kind: 'exec', name: 'python', attempt: 1, output: exec, durationMs: 3 } },
      { type: 'step.completed', op: '2', data: { kind: 'tool', name: 'analyse', attempt: 1, output: { output: 'unused', parts: [] }, durationMs: 1_500 } },
    ),
  ).toEqual([
    '  ● analyse    a.csv                                                     1.5 s',
    '               │ one',
    '               │ two',
    '               │ three',
    '               │ four',
    '               └ ended by SIGKILL',
  ])
})

test('a step of durable code and a command outside of tools have lines of their own', () => {
  expect(
    told(
      { type: 'step.started', op: '0', data: { kind: 'step', name: 'charge-the-customer', attempt: 1 } },
      {
        type: 'step.failed',
        op: '0',
        data: { kind: 'step', name: 'charge-the-customer', attempt: 1, failure: { message: 'card declined', retryable: true }, retryInMs: 2_000 },
      },
      { type: 'step.completed', op: '0', data: { kind: 'step', name: 'charge-the-customer', attempt: 2, output: { id: 7 }, durationMs: 40 } },
      { type: 'step.failed', op: '1', data: { kind: 'step', name: 'ship', attempt: 5, failure: { message: 'no\nstock', retryable: false }, retryInMs: null } },
    ),
  ).toEqual([
    '  ▲ charge-the-customer card declined                           again in 2.0 s',
    '  ● charge-the-customer                                                  40 ms',
    '               │ {"id":7}',
    '  ✗ ship       no stock',
  ])
})

test('a tool that refuses shows why', () => {
  const output = { output: { error: { kind: 'withheld', message: 'billing_email is personal.' } }, parts: [] }
  expect(told({ type: 'step.completed', op: '0', data: { kind: 'tool', name: 'query', attempt: 1, output, durationMs: 4 } })[1]).toBe(
    '               │ billing_email is personal.',
  )
})

test('an output that tries to draw on the terminal is only text, and no line is too wide', () => {
  const output = {
    exitCode: 0,
    signal: null,
    stdout: `\u001b[2J\u001b]0;owned\u0007${'很长的一行'.repeat(40)}\n`,
    stderr: '',
    isTruncated: false,
    isTimedOut: false,
    durationMs: 1,
    driver: 'virtual',
  }
  const lines = told({ type: 'step.completed', op: '0', data: { kind: 'exec', name: 'sh\u001b[1A', attempt: 1, output, durationMs: 1 } })
  expect(lines.join('')).not.toMatch(/[\u0000-\u0009\u001b]/)
  for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(80)
})

test('an input is shown by the field that says most', () => {
  expect(
    [null, undefined, 'text', 7, { script: 'ls\n-la' }, { cmd: 'python3', args: ['a.py', 1] }, { sql: 'select 1', title: 'T' }, { foo: 1 }, {}, ['a']].map(
      (input) => shortInput(input),
    ),
  ).toEqual(['', '', 'text', '7', 'ls -la', 'python3 a.py 1', 'select 1', '{"foo":1}', '', '["a"]'])
})

test('a program that waits for an answer has ended until then, and what it did so far is shown', () => {
  const head = { kind: 'invoke', name: 'invocations' }
  expect(
    told(
      { type: 'step.started', op: '0', data: { ...head, attempt: 1 } },
      { type: 'step.started', op: '0.0', data: { kind: 'call', name: 'recall', attempt: 1 } },
      { type: 'step.completed', op: '0.0', data: { kind: 'call', name: 'recall', attempt: 1, output: { output: 'nothing', parts: [] }, durationMs: 3 } },
      { type: 'step.paused', op: '0', data: { ...head, attempt: 1, waits: ['0.1'], durationMs: 20 } },
    ),
  ).toEqual([
    '  ● recall                                                                3 ms',
    '               │ nothing',
    '  ○ invocations has ended, and is asked again when somebody has decided',
  ])
})
