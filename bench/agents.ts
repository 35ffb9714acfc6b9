/** Agents: what the loop costs around a model that takes no time, a thousand sessions around one that takes two seconds, a cold start, a deployment; beside others in turns. */
import { execFile, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import type { Json, ModelReply } from '@longhaul/protocol'
import { identifier, sql } from '../packages/server/src/db/index.ts'
import type { Executors } from '../packages/server/src/engine/index.ts'
import { sleep } from '../packages/server/src/kernel/index.ts'
import { type Bed, type Place, close, open, quantile, withDatabase } from './bed.ts'
import type { Line } from './line.ts'
import { installPeer } from './peers/install.ts'
import { type Gaps, type LoopOrder, type Script, type Shares, follow } from './peers/loop.ts'
import { startServer } from './server.ts'

type Emit = (line: Line) => void

const programs = { 'ai-sdk': './peers/loop-ai-sdk.ts', mastra: './peers/loop-mastra.ts', langgraph: './peers/loop-langgraph.ts' }

const gaps: LoopOrder = { kind: 'gaps', sessions: 11, turns: 100 }
const thousand: LoopOrder = { kind: 'sessions', sessions: 1_000, turns: 5, modelMs: 2_000 }

export async function agentsBench(emit: Emit): Promise<void> {
  await withDatabase(async (place) => {
    await coldStarts(place, emit)
    await loops(place, emit)
    await deployment(place, emit)
  })
}

/** The loop of a real worker with its journal in PostgreSQL, then others in processes of their own. */
async function loops({ db, owner, url, dataDir }: Place, emit: Emit): Promise<void> {
  const model = scriptedModel()
  const bed = await open(db, dataDir, { executors: model.executors, activeMax: 2_000 })
  const one = async (tool: string, id: string, script: Script) => {
    model.scripts.set(id, { script, tool })
    await bed.run('loop', { message: id })
    model.scripts.delete(id)
  }
  for (const [figure, tool] of [
    ['model_call_overhead', 'nothing'],
    ['model_and_tool_call_overhead', 'note'],
  ] as const) {
    const { gapMs } = await follow(gaps, (id, script) => one(tool, id, script), memoryOf(bed))
    percentiles(`${figure}_ms`, gapMs.slice(100), emit) // The first run warms up.
  }
  tellSessions('longhaul', await follow(thousand, (id, script) => one('note', id, script), memoryOf(bed)), emit)
  await close(bed)
  for (const peer of ['ai-sdk', 'mastra', 'langgraph'] as const) {
    if (peer === 'langgraph') await owner.rows(sql`create database ${identifier('bench_langgraph')}`)
    const args = [await installPeer(peer), url.replace(/\/longhaul\?/, '/bench_langgraph?')]
    const program = fork(join(import.meta.dirname, programs[peer]), args, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const answer = <Answer>() =>
      new Promise<Answer>((resolve, reject) => {
        program.once('message', (message) => resolve(message as Answer)) // As the program answers.
        program.once('exit', (code) => reject(new Error(`${peer} ended with ${code}.`)))
      })
    await answer()
    program.send(gaps)
    const { gapMs } = await answer<Gaps>()
    percentiles(`${peer}_model_and_tool_call_overhead_ms`, gapMs.slice(100), emit)
    program.send(thousand)
    tellSessions(peer, await answer<Shares>(), emit)
    program.disconnect()
  }
}

function tellSessions(name: string, { shareMs, memoryMbBefore, memoryMbMost }: Shares, emit: Emit): void {
  const n = shareMs.length
  percentiles(`${name}_1000_sessions_own_share_ms`, shareMs, emit)
  emit({ figure: `${name}_1000_sessions_memory_kb_each`, value: ((memoryMbMost - memoryMbBefore) * 1_000) / n, unit: 'kB', n })
}

/** From a start, with no worker there, until the first step is recorded. */
async function coldStarts({ db, dataDir }: Place, emit: Emit): Promise<void> {
  const times: number[] = []
  for (let i = 0; i < 10; i++) {
    const bed = await open(db, dataDir)
    const from = performance.now()
    await bed.run('steps', { count: 1, bytes: 10, isTimed: false })
    times.push(performance.now() - from)
    await close(bed)
  }
  percentiles('cold_agent_first_step_ms', times, emit)
}

/** Nobody saves sooner. Until then a worker for the next version starts. */
const betweenReloadsMs = 1_500

/** With `longhaul dev` at work: from a file that is written until the new code is what new runs get. */
async function reloads({ cli, env, folder }: { cli: string[]; env: NodeJS.ProcessEnv; folder: string }): Promise<number[]> {
  await mkdir(join(folder, 'agent'), { recursive: true })
  const write = (n: number) =>
    writeFile(join(folder, 'agent/agent.ts'), `import { durable } from '@longhaul/sdk'\nexport default durable('Counts.', async () => ${n})\n`)
  await write(0)
  const dev = spawn(process.execPath, ['--conditions=longhaul-source', ...cli, 'dev', folder, '--json', '--quiet'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const lines = createInterface({ input: dev.stdout })[Symbol.asyncIterator]()
  const live = async () => {
    const { value = '', done } = await lines.next()
    if (done || (JSON.parse(value) as { state: string }).state !== 'live') throw new Error(`The agent is not live: ${value}`)
  }
  try {
    await live()
    const times: number[] = []
    for (let n = 1; n <= 10; n++) {
      await sleep(betweenReloadsMs)
      const from = performance.now()
      await write(n)
      await live()
      times.push(performance.now() - from)
    }
    return times
  } finally {
    dev.kill('SIGINT')
    await once(dev, 'close')
  }
}

/** The command `longhaul deploy` and the answer to the first question, of an agent that the server has not seen. */
async function deployment({ url, dataDir }: Place, emit: Emit): Promise<void> {
  const agents = join(dataDir, 'no-agents')
  await mkdir(agents)
  const server = await startServer(url, join(dataDir, 'server'), agents)
  try {
    const cli = [join(import.meta.dirname, '../packages/cli/src/main.ts')]
    const env = { ...process.env, LONGHAUL_URL: server.url, LONGHAUL_API_KEY: server.key }
    const command = (...args: string[]) => promisify(execFile)(process.execPath, ['--conditions=longhaul-source', ...cli, ...args], { env })
    const times: number[] = []
    for (let i = 0; i < 3; i++) {
      const from = performance.now()
      await command('deploy', join(import.meta.dirname, '../examples/hello'), '--agent', `hello-${i}`)
      await command('ask', `hello-${i}`, 'What time is it?')
      times.push(performance.now() - from)
    }
    percentiles('deploy_to_first_answer_ms', times, emit)
    percentiles('dev_reload_ms', await reloads({ cli, env, folder: join(dataDir, 'dev') }), emit)
  } finally {
    await server.stop()
  }
}

/** The server of the bed is this process. */
const memoryOf =
  ({ workers }: Bed) =>
  () =>
    [process.pid, ...workers.pids()].reduce((sum, pid) => sum + residentMb(pid), 0)

function residentMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_000
  } catch {
    return 0 // It ended just now.
  }
}

function percentiles(figure: string, times: number[], emit: Emit): void {
  emit({ figure: `${figure}_p50`, value: quantile(times, 0.5), unit: 'ms', n: times.length })
  emit({ figure: `${figure}_p99`, value: quantile(times, 0.99), unit: 'ms', n: times.length })
}

/** Says what the script of the run's first message says, and calls the tool that is named with it. */
function scriptedModel() {
  const scripts = new Map<string, { script: Script; tool: string }>()
  const ids = new Map<string, string>()
  const usage = { input: 100, cachedInput: 0, output: 20, costUsd: 0 }
  const executors: Executors = {
    model: {
      async execute(input, { run }) {
        const { prefix, append } = input as { prefix?: string; append: { content: { text: string }[] }[] }
        if (prefix === undefined) ids.set(run.id, append[0]?.content[0]?.text ?? '')
        const { script, tool } = scripts.get(ids.get(run.id) ?? '')!
        const said = await script.ask()
        const isLast = said === 'Done.'
        if (isLast) ids.delete(run.id)
        const reply: ModelReply = {
          model: 'scripted/model',
          content: isLast ? [{ type: 'text', text: said }] : [{ type: 'tool-call', toolCallId: said.callId, toolName: tool, input: { n: said.n } }],
          finishReason: isLast ? 'stop' : 'tool-calls',
          usage,
        }
        return { output: JSON.parse(JSON.stringify(reply)) as Json, usage }
      },
    },
  }
  return { scripts, executors }
}
