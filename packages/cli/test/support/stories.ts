/** Runs as an agent would have had them, for tests and for looking at. */
import type { Agent, Answer, Json, System } from '@longhaul/protocol'
import type { Script } from './fake-api.ts'
import { events, uuid } from './fake-api.ts'

const usage = { input: 1_204, cachedInput: 0, output: 88, costUsd: 0 }
const sql = `select accounts.region, sum(subscriptions.mrr_usd) * 12 as arr
from subscriptions
  join accounts on accounts.account_id = subscriptions.account_id
where subscriptions.started_on <= date '2026-10-31' and (subscriptions.ended_on is null or subscriptions.ended_on > date '2026-10-31')
group by 1
order by 2 desc`

export const answer: Answer = {
  text: 'ARR at the end of Q3 FY2027 (31 October 2026) was $48.2 million across four regions. North America leads with 44 %.',
  parts: [
    {
      type: 'table',
      title: 'ARR by region, 31 October 2026',
      columns: [
        { name: 'region', type: 'text' },
        { name: 'arr', type: 'number' },
        { name: 'customers', type: 'number' },
      ],
      rows: [
        ['North America', 21_400_120.5, 1_204],
        ['Europe', 15_010_233, 980],
        ['亚太地区', 9_702_651.25, 611],
        ['Latin America', 2_100_000, 98],
      ],
      rowCount: 4,
      sql,
    },
    { type: 'file', fileId: uuid(700), name: 'arr-by-region.svg', mediaType: 'image/svg+xml', bytes: 5, title: 'ARR by region' },
    { type: 'file', fileId: uuid(701), name: 'arr-by-region.png', mediaType: 'image/png', bytes: 12_400, title: 'ARR by region' },
  ],
  model: 'offline/planner',
  usage: { input: 6_204, cachedInput: 1_024, output: 402, costUsd: 0 },
}

const exec = (stdout: string, more: object = {}) => ({
  exitCode: 0,
  signal: null,
  stdout,
  stderr: '',
  isTruncated: false,
  isTimedOut: false,
  durationMs: 9,
  driver: 'virtual',
  ...more,
})
const turn = (op: string, toolName: string, input: Json, text?: string) => [
  { type: 'step.started' as const, op, data: { kind: 'model' as const, name: 'default', attempt: 1 } },
  ...(text ? [{ type: 'text-delta' as const, op, text }] : []),
  {
    type: 'step.completed' as const,
    op,
    data: {
      kind: 'model' as const,
      name: 'default',
      attempt: 1,
      durationMs: 212,
      output: {
        model: 'offline/planner',
        content: [...(text ? [{ type: 'text', text }] : []), { type: 'tool-call', toolCallId: `call-${op}`, toolName, input }],
        finishReason: 'tool-calls',
        usage,
      },
    },
  },
]
const bash = (op: string, script: string, output: object) => [
  { type: 'step.started' as const, op, data: { kind: 'tool' as const, name: 'bash', attempt: 1, input: { script } } },
  { type: 'step.started' as const, op: `${op}.0`, data: { kind: 'exec' as const, name: 'bash', attempt: 1, input: { script } } },
  { type: 'step.completed' as const, op: `${op}.0`, data: { kind: 'exec' as const, name: 'bash', attempt: 1, output: output as Json, durationMs: 12 } },
  { type: 'step.completed' as const, op, data: { kind: 'tool' as const, name: 'bash', attempt: 1, output: { output: 'as above', parts: [] }, durationMs: 14 } },
]

/** A question answered, with everything on the way that can happen to a run. */
export function eventful(done: Answer = answer): Script {
  const query = { sql, title: 'ARR by region' }
  return events([
    { type: 'run.started', data: { input: 'What was our ARR at the end of last quarter, by region?' } },
    ...turn(
      '0',
      'bash',
      { script: 'ls semantic semantic/metrics' },
      'I will look for the metric first, then for how regions are stored and when the last quarter ended.',
    ),
    ...bash(
      '1.0.0',
      'ls semantic semantic/metrics',
      exec(['semantic:', 'catalogue.yaml', 'entities', 'metrics', 'operations.yaml', 'products.yaml', '', 'semantic/metrics:', 'arr.yaml'].join('\n')),
    ),
    ...turn('2', 'bash', { script: 'cat semantic/metrics/arr.yaml && grep -rn "年度经常性收入" semantic' }),
    ...bash(
      '3.0.0',
      'cat semantic/metrics/arr.yaml && grep -rn "年度经常性收入" semantic',
      exec(
        'name: arr\nlabel: { en: ARR, zh: 年度经常性收入 }\nsynonyms: { en: [annual recurring revenue, annualised recurring revenue, run rate], zh: [年经常性收入] }',
        { exitCode: 2, stderr: 'grep: semantic/x: Permission denied' },
      ),
    ),
    { type: 'step.started', op: '4', data: { kind: 'model', name: 'default', attempt: 1 } },
    {
      type: 'step.failed',
      op: '4',
      data: {
        kind: 'model',
        name: 'default',
        attempt: 1,
        failure: { message: 'The provider answered 529: overloaded.', code: 'overloaded', retryable: true },
        retryInMs: 400,
      },
    },
    { type: 'step.started', op: '4', data: { kind: 'model', name: 'default', attempt: 2 } },
    {
      type: 'step.completed',
      op: '4',
      data: {
        kind: 'model',
        name: 'default',
        attempt: 2,
        durationMs: 2_480,
        output: {
          model: 'offline/planner',
          content: [{ type: 'tool-call', toolCallId: 'c', toolName: 'query', input: query }],
          finishReason: 'tool-calls',
          usage,
        },
      },
    },
    { type: 'step.started', op: '5.0.0', data: { kind: 'tool', name: 'query', attempt: 1, input: query } },
    { type: 'run.interrupted', data: { reason: 'worker_lost', message: 'The worker’s connection closed.', isSuspect: true } },
    { type: 'step.started', op: '5.0.0', data: { kind: 'tool', name: 'query', attempt: 2, input: query } },
    {
      type: 'step.completed',
      op: '5.0.0',
      data: { kind: 'tool', name: 'query', attempt: 2, output: { output: {}, parts: [done.parts[0] as unknown as Json] }, durationMs: 42 },
    }, // A part is JSON.
    { type: 'cut' },
    ...turn('6', 'chart', { title: 'ARR by region' }),
    {
      type: 'step.started',
      op: '7.0.0',
      data: { kind: 'tool', name: 'chart', attempt: 1, input: { type: 'bar', title: 'ARR by region', x: 'region', y: 'arr' } },
    },
    { type: 'step.started', op: '7.0.0.0', data: { kind: 'artifact', name: 'arr-by-region.svg', attempt: 1 } },
    { type: 'step.completed', op: '7.0.0.0', data: { kind: 'artifact', name: 'arr-by-region.svg', attempt: 1, output: {}, durationMs: 3 } },
    {
      type: 'step.completed',
      op: '7.0.0',
      data: { kind: 'tool', name: 'chart', attempt: 1, output: { output: {}, parts: done.parts.slice(1) as unknown as Json }, durationMs: 318 },
    },
    { type: 'step.started', op: '8', data: { kind: 'model', name: 'default', attempt: 1 } },
    {
      type: 'step.completed',
      op: '8',
      data: {
        kind: 'model',
        name: 'default',
        attempt: 1,
        durationMs: 190,
        output: { model: 'offline/planner', content: [{ type: 'text', text: done.text }], finishReason: 'stop', usage },
      },
    },
    { type: 'run.completed', data: { output: done as unknown as Json } },
  ])
}

export const agents: Agent[] = [
  {
    name: 'analyst',
    version: 'sha256:1f0c',
    status: 'ready',
    problem: null,
    deployedAt: '2026-11-21T02:00:00.000Z',
    manifest: {
      description: 'Answers questions about the business from its warehouse, with a table, the SQL and a chart.',
      shape: 'agent',
      model: 'default',
      instructions: 'x',
      tools: [
        { name: 'bash', description: '', inputSchema: {} },
        { name: 'query', description: '', inputSchema: {} },
      ],
      skills: [],
      examples: ['What was our ARR at the end of last quarter, by region?', '本季度新增了多少客户？'],
    },
  },
  {
    name: 'hello',
    version: 'sha256:77aa',
    status: 'broken',
    problem: 'agent.ts: Cannot find package "left-pad".',
    deployedAt: '2026-11-21T02:00:00.000Z',
    manifest: null,
  },
]

export const system: System = {
  version: '0.1.0',
  caller: { id: uuid(900), tenantId: 'default', name: 'root', permissions: ['runs:read', 'runs:write'], access: { personalData: true } },
  sandbox: {
    driver: 'virtual',
    enforced: ['no network', 'own file system', 'time limit'],
    missing: [{ what: 'bubblewrap, for Python and Node in the sandbox', remedy: 'apt-get install bubblewrap' }],
    languages: ['sh'],
    root: null,
  },
  sandboxDrivers: [{ driver: 'virtual', kernel: 'none', enforced: [], missing: [], root: null }],
  models: { default: 'offline/planner', offline: true, available: ['offline/planner'] },
  mail: null,
  database: { kind: 'embedded', version: '18.4' },
  startup: [
    { phase: 'postgres', ms: 812 },
    { phase: 'migrations', ms: 95 },
    { phase: 'agents', ms: 1_420 },
  ],
}
