/**
 * What a step costs the worker. First without sockets: frames go through JSON in both directions in batches, as over the wire,
 * and a server that only acknowledges answers in the next turn. Then with a worker process over a WebSocket. Run: node --conditions=longhaul-source packages/sdk/test/worker-cost.ts
 */
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Context } from '../src/agent.ts'
import { makeAgentFolder } from './support/agent-folder.ts'
import { startWorkerProcess } from './support/worker-process.ts'
import { createWorker } from '../src/worker.ts'

const asker = { id: 'k', name: 'bench', access: { personalData: true } }
const payload = (size: number) => ({ text: 'x'.repeat(size - 40), n: 1, ok: true })

type Figures = { wallMs: number; workerMs: number; stepCount: number }

/** Runs `runCount` runs at once; `workerMs` is the time inside the worker, `wallMs` includes the acknowledging server. */
async function measure(runCount: number, stepCount: number, program: (ctx: Context) => Promise<unknown>, historyLength = 0): Promise<Figures> {
  let outgoing: string[] = []
  let ended = 0
  const worker = createWorker({ program: (ctx) => program(ctx), dataDir: '/tmp', send: (frame) => outgoing.push(frame) })
  worker.receive({ type: 'licence', untilMs: Infinity })
  const runs = Array.from({ length: runCount }, () => randomUUID())
  const entries = Array.from({ length: historyLength }, (_, i) => ({ type: 'completed', op: `${i}`, kind: 'step', name: 'work', output: payload(1_000) }))
  let incoming: object[] = runs.flatMap((run) => [
    {
      type: 'run.start',
      run,
      agent: 'bench',
      version: '1',
      input: null,
      asker,
      session: null,
      messages: [],
      createdAt: new Date().toISOString(),
      historyLength,
    },
    ...(historyLength ? [{ type: 'run.history', run, entries }] : []),
  ])
  const startedAt = performance.now()
  let serverMs = 0
  while (ended < runCount) {
    const batch = JSON.stringify(incoming)
    incoming = []
    for (const frame of JSON.parse(batch)) worker.receive(frame)
    await new Promise((resolve) => setImmediate(resolve))
    const message = `[${outgoing.join(',')}]`
    outgoing = []
    const before = performance.now()
    for (const frame of JSON.parse(message)) {
      if (frame.type === 'op.done') incoming.push({ type: 'op.completed', run: frame.run, op: frame.op })
      if (frame.type === 'run.completed') ended++
    }
    serverMs += performance.now() - before
  }
  const wallMs = performance.now() - startedAt
  return { wallMs, workerMs: wallMs - serverMs, stepCount: runCount * stepCount }
}

const steps = (count: number) => async (ctx: Context) => {
  for (let i = 0; i < count; i++) await ctx.step('work', async () => payload(1_000))
  return null
}
const report = (figure: string, value: number, unit: string, n: number) =>
  console.log(JSON.stringify({ bench: 'worker', figure, value: Math.round(value * 100) / 100, unit, n }))

await measure(500, 10, steps(10))
for (const [runs, count] of [
  [500, 10],
  [1, 1_000],
  [1, 10_000],
] as const) {
  const rounds = []
  for (let i = 0; i < 5; i++) rounds.push(await measure(runs, count, steps(count)))
  const best = rounds.toSorted((a, b) => a.workerMs - b.workerMs)[2]!
  report(`cpu_per_step_${runs}_runs_of_${count}`, (best.workerMs * 1_000) / best.stepCount, 'us', best.stepCount)
}
for (const length of [10, 1_000, 10_000]) {
  const replayed = await measure(1, length, steps(length), length)
  report(`replay_${length}_steps`, replayed.wallMs, 'ms', 1)
}

/** User and system time of a process, from its statistics on Linux (in ticks of 10 ms). */
function cpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) * 10
}

{
  const [runCount, stepCount, rounds] = [500, 10, 10]
  await using agent = await makeAgentFolder({
    'agent/agent.ts': `import { durable } from '@longhaul/sdk'
const payload = { text: 'x'.repeat(960), n: 1, ok: true }
export default durable('bench', async (ctx) => { for (let i = 0; i < ${stepCount}; i++) await ctx.step('work', async () => payload) })`,
  })
  let ended = 0
  let wake = () => {}
  await using worker = await startWorkerProcess(agent.folder, {
    isChecked: false,
    onFrame: (frame, reply) => {
      if (frame.type === 'op.done') reply({ type: 'op.completed', run: frame.run, op: frame.op } as never)
      if (frame.type === 'run.completed' && ++ended % runCount === 0) wake()
      if (frame.type === 'hello') wake()
    },
  })
  await new Promise<void>((resolve) => (wake = resolve))
  const round = () => {
    for (let i = 0; i < runCount; i++) worker.start(randomUUID())
    return new Promise<void>((resolve) => (wake = resolve))
  }
  await round()
  const cpuBefore = cpuMs(worker.child.pid!)
  const startedAt = performance.now()
  for (let i = 0; i < rounds; i++) await round()
  const seconds = (performance.now() - startedAt) / 1_000
  const steps = runCount * stepCount * rounds
  report('process_steps_per_second', steps / seconds, '1/s', steps)
  report('process_cpu_per_step', ((cpuMs(worker.child.pid!) - cpuBefore) * 1_000) / steps, 'us', steps)
}
