import type { Answer, Approval, Failure, Json, LiveFrame, ModelRequest, Prompt, Run, RunEvent } from '@longhaul/protocol'

/** Recorded runs for looking at the console without a server. Events carry their distance from the run's start in milliseconds. */
type Told = { at: number; frame: Omit<Extract<RunEvent, { type: string }>, 'seq' | 'at'> | LiveFrame }
export type Story = { run: Run; events: RunEvent[]; steps: Map<string, Json>; live: Told[]; approval?: Approval }

let counter = 0
export const id = (): string => `0197a4c2-7d30-7${(counter++).toString(16).padStart(3, '0')}-9b1e-${Math.floor(Math.random() * 2 ** 48).toString(16).padStart(12, '0')}`
const usage = (input: number, output: number, costUsd: number | null = 0) => ({ input, cachedInput: Math.floor(input * 0.6), output, costUsd })

const instructions = `You answer questions about the business of a subscription company.\nToday is 2025-11-14. The fiscal year begins in February.\n\nThe semantic layer lies under /workspace/semantic. Read what concerns the question before you write SQL:\n  catalog.yml        what exists\n  entities/*.yml     tables, columns, joins\n  metrics/*.yml      how each figure is computed, and what else people call it\n\nRules\n- One SELECT for each question. Never guess a column.\n- Say which period you mean.\n- If the question cannot be answered from the data, say so.`
const tools = [
  { name: 'bash', description: 'Runs a shell line in the sandbox. The semantic layer is under /workspace/semantic.', inputSchema: { type: 'object', properties: { script: { type: 'string' } }, required: ['script'] } },
  { name: 'query', description: 'Runs one SELECT on the warehouse, read-only, at most 10 s and 10,000 rows.', inputSchema: { type: 'object', properties: { sql: { type: 'string' }, title: { type: 'string' } }, required: ['sql'] } },
  { name: 'chart', description: 'Draws a chart of the last query’s rows.', inputSchema: { type: 'object', properties: { type: { enum: ['bar', 'line'] }, x: { type: 'string' }, y: { type: 'string' } }, required: ['type'] } },
]
const arrSql = `-- ARR: active subscriptions' monthly amount at the end of the period, times twelve
select r.name as region,
       sum(s.monthly_amount) * 12 as arr,
       count(distinct s.account_id) as customers,
       sum(s.monthly_amount) * 12 / sum(sum(s.monthly_amount) * 12) over () as share
from subscriptions s
join accounts a on a.id = s.account_id
join regions r on r.id = a.region_id
where s.started_on <= date '2025-10-31'
  and (s.ended_on is null or s.ended_on > date '2025-10-31')
  and s.status <> 'trial'
group by r.name
order by arr desc`
export const rows = [
  ['North America', 7018114.71, 1204, 0.5281], ['EMEA', 4211908.1, 861, 0.3169], ['APAC', 1311402.55, 402, 0.0987], ['LATAM', 748902.4, 231, 0.0563],
]
const table = (title: string, sql = arrSql) => ({
  type: 'table' as const, title, sql, rowCount: rows.length, rows,
  columns: [{ name: 'region', type: 'text' as const }, { name: 'arr', type: 'number' as const }, { name: 'customers', type: 'number' as const }, { name: 'share', type: 'number' as const }],
})
export const svgId = id()
export const pngId = id()
const files = (title: string) => [
  { type: 'file' as const, fileId: svgId, name: 'arr-by-region.svg', mediaType: 'image/svg+xml', bytes: 18_204, title },
  { type: 'file' as const, fileId: pngId, name: 'arr-by-region.png', mediaType: 'image/png', bytes: 42_911, title },
]

type Extra = Partial<Run> & { model?: string }
function story(about: Extra & { agoMs: number }, tell: (say: Teller) => void, liveFrom = Number.POSITIVE_INFINITY): Story {
  const { agoMs, model: _, ...rest } = about
  const start = Date.now() - agoMs
  const run: Run = {
    id: id(), agent: 'analyst', version: 'a3f91c0e27b4', state: 'completed', input: '', output: null, failure: null, wait: null, session: null,
    asker: { id: 'key', name: 'local', access: { personalData: true } }, usage: usage(0, 0, null), eventCount: 0,
    createdAt: new Date(start - 4).toISOString(), startedAt: new Date(start).toISOString(), endedAt: null, ...rest,
  }
  const told: Told[] = []
  const steps = new Map<string, Json>()
  tell({ at: (at, frame) => void told.push({ at, frame: frame as Told['frame'] }), step: (op, value) => void steps.set(op, value) })
  const events: RunEvent[] = []
  const live: Told[] = []
  for (const one of told) {
    if (one.at >= liveFrom) live.push(one)
    else if (!('stream' in one.frame) && one.frame.type !== 'text-delta') events.push({ ...one.frame, seq: events.length, at: new Date(start + one.at).toISOString() } as RunEvent)
  }
  run.eventCount = events.length
  const last = events.at(-1)
  if (last?.type.match(/run\.(completed|failed|cancelled)/)) run.endedAt = last.at
  return { run, events, steps, live }
}
type Teller = { at(at: number, frame: object): void; step(op: string, value: Json): void }

const fails = (message: string, retryable: boolean, code?: string): Failure => ({
  message, retryable, ...(code ? { code } : {}),
  stack: `Error: ${message}\n    at runQuery (file:///srv/agents/analyst/agent/tools/query.ts:41:11)\n    at async execute (file:///srv/node_modules/@longhaul/sdk/src/execute.ts:88:20)\n    at async Promise.all (index 0)\n    at async main (file:///srv/node_modules/@longhaul/sdk/src/loop.ts:52:5)`,
})

function analyst(say: Teller, question: string, text: string, title: string, model = 'offline/planner', pace = 1): Answer {
  let t = 3
  const messages: Prompt['messages'] = [{ role: 'user', content: [{ type: 'text', text: question }] }]
  let previous: string | undefined
  let turn = 0
  const modelCall = (op: string, ms: number, content: Json[], tokens: [number, number], said?: string) => {
    const append = messages.slice(turn)
    turn = messages.length
    const request: ModelRequest = { model: 'default', append, ...(previous ? { prefix: previous } : { instructions, tools }) }
    say.at(t, { type: 'step.started', op, data: { kind: 'model', name: 'model', attempt: 1, input: request } })
    const prompt: Prompt = { model: 'default', instructions, tools, messages: structuredClone(messages) }
    const reply = { model, content, finishReason: said ? 'stop' : 'tool-calls', usage: usage(tokens[0], tokens[1], model.startsWith('offline') ? 0 : tokens[0] * 3e-6 + tokens[1] * 15e-6) }
    const spoken = said ?? (content[0] as { text?: string }).text ?? ''
    const words = spoken.match(/.{1,7}/gsu) ?? []
    words.forEach((word, i) => say.at(t + ((i + 1) / (words.length + 1)) * ms * pace, { type: 'text-delta', op, text: word }))
    t += ms * pace
    say.at(t, { type: 'step.completed', op, data: { kind: 'model', name: 'model', attempt: 1, output: reply, durationMs: ms * pace } })
    say.step(op, { op, kind: 'model', name: 'model', attempt: 1, input: prompt, output: reply, failure: null, startedAt: null, endedAt: null, durationMs: ms * pace } as Json)
    messages.push({ role: 'assistant', content: content as never })
    previous = op
    t += 2
  }
  const call = (name: string, callId: string, input: Json) => ({ type: 'tool-call', toolCallId: callId, toolName: name, input })
  const result = (name: string, callId: string, output: Json, isError = false) => messages.push({ role: 'tool', content: [{ type: 'tool-result', toolCallId: callId, toolName: name, output, isError }] })
  const exec = (op: string, script: string, stdout: string, ms: number, exitCode = 0, stderr = '') => {
    const input = { script, timeoutMs: 60_000 }
    say.at(t, { type: 'step.started', op, data: { kind: 'exec', name: 'bash', attempt: 1, input } })
    stdout.split('\n').forEach((line, i, all) => say.at(t + ((i + 1) / (all.length + 1)) * ms * pace, { type: 'output-delta', op, stream: 'stdout', text: `${line}\n` }))
    t += ms * pace
    const output = { exitCode, signal: null, stdout, stderr, isTruncated: false, isTimedOut: false, durationMs: ms, driver: 'bwrap' }
    say.at(t, { type: 'step.completed', op, data: { kind: 'exec', name: 'bash', attempt: 1, output, durationMs: ms * pace } })
    say.step(op, { op, kind: 'exec', name: 'bash', attempt: 1, input, output, failure: null, startedAt: null, endedAt: null, durationMs: ms } as Json)
    t += 1
    return output
  }
  const tool = (op: string, name: string, input: Json, inside: () => void, output: Json, parts: Json[] = []) => {
    const from = t
    say.at(t, { type: 'step.started', op, data: { kind: 'tool', name, attempt: 1, input } })
    t += 2
    inside()
    say.at(t, { type: 'step.completed', op, data: { kind: 'tool', name, attempt: 1, output: { output, parts }, durationMs: t - from } })
    say.step(op, { op, kind: 'tool', name, attempt: 1, input, output: { output, parts }, failure: null, startedAt: null, endedAt: null, durationMs: t - from })
    t += 2
  }

  say.at(0, { type: 'run.started', data: { input: question } })
  modelCall('0', 640, [{ type: 'text', text: 'I look for how ARR is defined and which table has the region.' }, call('bash', 'c1', { script: "cd semantic && ls -R && grep -rli 'arr' metrics" })], [1840, 61])
  const listing = '.:\ncatalog.yml\nentities\nmetrics\nproducts.yml\noperations.yml\n\n./entities:\naccounts.yml\ninvoices.yml\nregions.yml\nsubscriptions.yml\n\n./metrics:\nmrr.yml\narr.yml\nnrr.yml\nchurn.yml\n\nmetrics/arr.yml\nmetrics/nrr.yml'
  tool('1.0.0', 'bash', { script: "cd semantic && ls -R && grep -rli 'arr' metrics" }, () => exec('1.0.0.0', "cd semantic && ls -R && grep -rli 'arr' metrics", listing, 38), listing)
  result('bash', 'c1', listing)
  modelCall('2', 810, [call('bash', 'c2', { script: 'cat semantic/metrics/arr.yml semantic/entities/subscriptions.yml' })], [2310, 44])
  const yaml = "name: arr\nlabel: Annual recurring revenue\nsynonyms: [annual run rate, run-rate, 年度经常性收入, 年化收入]\nsql: sum(s.monthly_amount) * 12\nfrom: subscriptions s\nwhere: s.status <> 'trial'\nat: end of period\ndimensions: [region, segment, product, plan]"
  tool('3.0.0', 'bash', { script: 'cat semantic/metrics/arr.yml semantic/entities/subscriptions.yml' }, () => exec('3.0.0.0', 'cat semantic/metrics/arr.yml semantic/entities/subscriptions.yml', yaml, 21), yaml)
  result('bash', 'c2', yaml)
  modelCall('4', 1240, [call('query', 'c3', { sql: arrSql.replace('region_id', 'region'), title })], [2980, 231])
  {
    const failure = fails('Binder Error: Table "a" does not have a column named "region"\n\nCandidate bindings: "region_id", "name", "segment"\nLINE 8: join regions r on r.id = a.region', false, 'query_failed')
    const input = { sql: arrSql.replace('region_id', 'region'), title }
    say.at(t, { type: 'step.started', op: '5.0.0', data: { kind: 'tool', name: 'query', attempt: 1, input } })
    t += 90
    say.at(t, { type: 'step.failed', op: '5.0.0', data: { kind: 'tool', name: 'query', attempt: 1, failure, retryInMs: null, durationMs: 90 } })
    say.step('5.0.0', { op: '5.0.0', kind: 'tool', name: 'query', attempt: 1, input, output: null, failure, startedAt: null, endedAt: null, durationMs: 90 } as Json)
    result('query', 'c3', failure.message, true)
    t += 3
  }
  modelCall('6', 1010, [{ type: 'text', text: 'The column is `region_id`.' }, call('query', 'c4', { sql: arrSql, title })], [3460, 218])
  tool('7.0.0', 'query', { sql: arrSql, title }, () => (t += 184 * pace), { columns: ['region', 'arr', 'customers', 'share'], rowCount: 4, rows }, [table(title)])
  result('query', 'c4', { rowCount: 4, rows })
  modelCall('8', 520, [call('chart', 'c5', { type: 'bar', x: 'region', y: 'arr' })], [3890, 39])
  tool('9.0.0', 'chart', { type: 'bar', x: 'region', y: 'arr' }, () => {
    const [svg] = files(title)
    say.at(t, { type: 'step.started', op: '9.0.0.0', data: { kind: 'artifact', name: 'arr-by-region.svg', attempt: 1, input: { name: 'arr-by-region.svg', mediaType: 'image/svg+xml' } } })
    t += 71
    say.at(t, { type: 'step.completed', op: '9.0.0.0', data: { kind: 'artifact', name: 'arr-by-region.svg', attempt: 1, output: svg, durationMs: 71 } })
    say.step('9.0.0.0', { op: '9.0.0.0', kind: 'artifact', name: 'arr-by-region.svg', attempt: 1, input: { name: 'arr-by-region.svg', mediaType: 'image/svg+xml' }, output: svg ?? null, failure: null, startedAt: null, endedAt: null, durationMs: 71 } as Json)
  }, { shown: true }, files(title))
  result('chart', 'c5', { shown: true })
  modelCall('10', 1630, [{ type: 'text', text }], [4120, 96], text)
  const answer: Answer = { text, parts: [table(title), ...files(title)], model, usage: usage(18_600, 689, model.startsWith('offline') ? 0 : 0.0661) }
  say.at(t, { type: 'run.completed', data: { output: answer } })
  return answer
}

export const arrText = 'ARR at the end of last quarter (31 October 2025) was **$13.29 million**. North America holds 52.8 % of it with $7.02 million, followed by EMEA with $4.21 million; APAC and LATAM together make up 15.5 %.'
const arrTextZh = '上季度末（2025 年 10 月 31 日）的年度经常性收入为 **1,329 万美元**。北美占 52.8 %，为 702 万美元；其次是欧洲、中东和非洲，为 421 万美元；亚太和拉美合计占 15.5 %。'

export function liveStory(question: string): Story {
  let answer: Answer | undefined
  const one = story({ agoMs: 0, input: question, state: 'running' }, (say) => (answer = analyst(say, question, arrText, 'ARR by region, 31 October 2025', 'offline/planner', 2.2)), 0)
  one.run.startedAt = null
  one.run.state = 'pending'
  one.run.output = null
  void answer
  return one
}

export function makeStories(): Story[] {
  const stories: Story[] = []
  const add = (one: Story) => void stories.push(one)
  {
    const question = 'What was our ARR at the end of last quarter, by region?'
    let output: Answer | undefined
    const one = story({ agoMs: 95_000, input: question }, (say) => (output = analyst(say, question, arrText, 'ARR by region, 31 October 2025')))
    Object.assign(one.run, { output, usage: output?.usage })
    add(one)
  }
  {
    const question = '上季度末各地区的年度经常性收入是多少？'
    let output: Answer | undefined
    const one = story({ agoMs: 640_000, input: question, asker: { id: 'k2', name: '王芳', access: { regions: ['APAC', 'EMEA'], personalData: false } } }, (say) => (output = analyst(say, question, arrTextZh, '各地区 ARR，2025 年 10 月 31 日', 'anthropic/claude-sonnet-5')))
    Object.assign(one.run, { output, usage: output?.usage })
    add(one)
  }
  {
    const one = story({ agoMs: 1_900_000, input: 'Which ten customers churned last month, and why?', state: 'failed', usage: usage(9_210, 402, 0.0337) }, (say) => {
      say.at(0, { type: 'run.started', data: { input: 'Which ten customers churned last month, and why?' } })
      const input = { model: 'default', append: [], instructions, tools }
      for (let attempt = 1; attempt <= 3; attempt++) {
        const at = 5 + (attempt - 1) * 3_400
        say.at(at, { type: 'step.started', op: '0', data: { kind: 'model', name: 'model', attempt, input } })
        say.at(at + 1_900, { type: 'step.failed', op: '0', data: { kind: 'model', name: 'model', attempt, failure: fails('anthropic answered 529: overloaded_error', attempt < 3, 'overloaded'), retryInMs: attempt < 3 ? 1_500 : null, durationMs: 1_900 } })
      }
      say.step('0', { op: '0', kind: 'model', name: 'model', attempt: 3, input: { model: 'default', instructions, tools, messages: [{ role: 'user', content: [{ type: 'text', text: 'Which ten customers churned last month, and why?' }] }] }, output: null, failure: fails('anthropic answered 529: overloaded_error', false, 'overloaded'), startedAt: null, endedAt: null, durationMs: 1_900 } as Json)
      say.at(8_800, { type: 'run.failed', data: { failure: fails('anthropic answered 529: overloaded_error', false, 'overloaded') } })
    })
    one.run.failure = fails('anthropic answered 529: overloaded_error', false, 'overloaded')
    add(one)
  }
  {
    const approvalId = id()
    const detail = { amount: 1840.5, currency: 'USD', account: 'Brightwater Ltd', invoice: 'INV-20418', reason: 'Charged twice for October' }
    const one = story({ agoMs: 2_400_000, agent: 'refunds', input: { invoice: 'INV-20418' }, state: 'waiting' }, (say) => {
      say.at(0, { type: 'run.started', data: { input: { invoice: 'INV-20418' } } })
      say.at(6, { type: 'step.started', op: '0', data: { kind: 'step', name: 'load invoice', attempt: 1 } })
      say.at(210, { type: 'step.completed', op: '0', data: { kind: 'step', name: 'load invoice', attempt: 1, output: detail, durationMs: 204 } })
      say.step('0', { op: '0', kind: 'step', name: 'load invoice', attempt: 1, input: null, output: detail, failure: null, startedAt: null, endedAt: null, durationMs: 204 })
      say.at(214, { type: 'wait.created', op: '1', data: { kind: 'approval', name: 'Refund $1,840.50 to Brightwater Ltd', until: new Date(Date.now() + 86_000_000).toISOString(), approvalId, detail } })
    })
    one.run.wait = { kind: 'approval', name: 'Refund $1,840.50 to Brightwater Ltd', until: new Date(Date.now() + 86_000_000).toISOString(), approvalId, detail }
    one.approval = { id: approvalId, runId: one.run.id, agent: 'refunds', title: 'Refund $1,840.50 to Brightwater Ltd', detail, state: 'pending', decidedBy: null, comment: null, createdAt: one.run.createdAt, expiresAt: one.run.wait.until, decidedAt: null }
    add(one)
  }
  {
    const one = story({ agoMs: 7_900_000, agent: 'onboarding', input: { account: 'Northwind' }, state: 'waiting' }, (say) => {
      say.at(0, { type: 'run.started', data: { input: { account: 'Northwind' } } })
      say.at(5, { type: 'step.started', op: '0', data: { kind: 'step', name: 'create workspace', attempt: 1 } })
      say.at(900, { type: 'run.interrupted', data: { reason: 'worker_lost', message: 'The worker’s connection ended (pid 20417, signal SIGKILL).' } })
      say.at(1_600, { type: 'step.started', op: '0', data: { kind: 'step', name: 'create workspace', attempt: 1 } })
      say.at(2_050, { type: 'step.completed', op: '0', data: { kind: 'step', name: 'create workspace', attempt: 1, output: { workspace: 'nw-4411' }, durationMs: 450 } })
      for (const [i, name] of ['invite people', 'import contacts', 'send welcome'].entries()) {
        say.at(2_060 + i, { type: 'step.started', op: `1.${i}.0`, data: { kind: 'step', name, attempt: 1 } })
        say.at(2_700 + i * 420, { type: 'step.completed', op: `1.${i}.0`, data: { kind: 'step', name, attempt: 1, output: { ok: true }, durationMs: 640 + i * 420 } })
      }
      say.at(4_000, { type: 'wait.created', op: '2', data: { kind: 'timer', name: 'a day later', until: new Date(Date.now() - 7_900_000 + 3_604_000).toISOString() } })
      say.at(3_604_000, { type: 'wait.completed', op: '2', data: { kind: 'timer', name: 'a day later', output: null } })
      say.at(3_604_010, { type: 'step.started', op: '3', data: { kind: 'step', name: 'check usage', attempt: 1 } })
      say.at(3_604_500, { type: 'step.completed', op: '3', data: { kind: 'step', name: 'check usage', attempt: 1, output: { logins: 3 }, durationMs: 490 } })
      say.at(3_604_520, { type: 'wait.created', op: '4', data: { kind: 'signal', name: 'contract-signed', until: null } })
    })
    one.run.wait = { kind: 'signal', name: 'contract-signed', until: null }
    add(one)
  }
  {
    const detail = { op: '3', recorded: 'tool query', asked: 'model default' }
    const one = story({ agoMs: 9_900_000, input: 'Net revenue retention by segment for the last six quarters', state: 'waiting' }, (say) => {
      say.at(0, { type: 'run.started', data: { input: 'Net revenue retention by segment for the last six quarters' } })
      say.at(300, { type: 'wait.created', data: { kind: 'operator', name: 'diverged', until: null, reason: 'diverged', detail } })
    })
    one.run.wait = { kind: 'operator', name: 'diverged', until: null, reason: 'diverged', detail }
    add(one)
  }
  add(story({ agoMs: 11_000_000, input: 'Forecast next year’s bookings with Python', state: 'cancelled' }, (say) => {
    say.at(0, { type: 'run.started', data: { input: 'Forecast next year’s bookings with Python' } })
    say.at(10, { type: 'step.started', op: '0', data: { kind: 'tool', name: 'python', attempt: 1, input: { script: 'import time; time.sleep(600)' } } })
    say.at(24_000, { type: 'run.cancelled', data: { by: 'local', reason: 'Took too long' } })
  }))
  {
    const count = Number(process.env['STEPS'] ?? 5_000)
    const one = story({ agoMs: 40_000_000, agent: 'importer', input: { files: count } }, (say) => {
      say.at(0, { type: 'run.started', data: { input: { files: count } } })
      for (let i = 0; i < count; i++) {
        say.at(i * 20, { type: 'step.started', op: String(i), data: { kind: 'step', name: `import file ${i + 1}`, attempt: 1 } })
        say.at(i * 20 + 18, { type: 'step.completed', op: String(i), data: { kind: 'step', name: `import file ${i + 1}`, attempt: 1, output: { rows: (i * 7919) % 1000 }, durationMs: 18 } })
        say.step(String(i), { op: String(i), kind: 'step', name: `import file ${i + 1}`, attempt: 1, input: null, output: { rows: (i * 7919) % 1000 }, failure: null, startedAt: null, endedAt: null, durationMs: 18 })
      }
      say.at(count * 20, { type: 'run.completed', data: { output: { files: count } } })
    })
    one.run.output = { files: count }
    add(one)
  }
  for (let i = 0; i < 30; i++) {
    const one = story({ agoMs: 90_000_000 + i * 5_000_000, input: ['Monthly active users by product, last 12 months', '哪些客户的用量下降最多？', 'How many tickets did enterprise customers open last week?', 'Average invoice by plan'][i % 4] ?? '', usage: usage(4_000 + i * 120, 300, 0.01 + i / 900) }, (say) => {
      say.at(0, { type: 'run.started', data: { input: 'x' } })
      say.at(4_000 + i * 300, { type: 'run.completed', data: { output: 'done' } })
    })
    one.run.output = 'Done.'
    add(one)
  }
  return stories
}
