/**
 * What the model gateway adds to a call: the same load against a fake provider directly, through a bare pass-through in Node, through our
 * gateway with its keys in memory, through a whole server where each call is admitted by a budget and booked in PostgreSQL, and through
 * Portkey's, each in a process of its own, one after the other in rounds.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Agent, type Dispatcher, request } from 'undici'
import { withDatabase } from './bed.ts'
import type { Line } from './line.ts'
import { freePort, installPeer } from './peers/install.ts'
import { startServer } from './server.ts'

type Emit = (line: Line) => void

const rounds = 7
const key = 'lh_bench'
const words = 'lorem ipsum dolor sit amet '
const prompt = JSON.stringify({
  model: 'compatible/m',
  messages: [
    { role: 'system', content: words.repeat(60) },
    { role: 'user', content: words.repeat(15) },
  ],
  temperature: 0.2,
})
const ourPath = '/openai/v1/chat/completions'
const streaming = prompt.replace(/}$/, ',"stream":true,"stream_options":{"include_usage":true}}')

type Way = {
  name: string
  url: string
  process: ChildProcess
  headers?: Record<string, string>
  path?: string
  /** Part of the load that it gets, where it is slow. */
  share?: number
  isWithoutStreams?: boolean
}

export const gatewayBench = (emit: Emit): Promise<void> =>
  withDatabase(async ({ url, dataDir }) => {
    const upstream = await start('upstream', [])
    const ways: Way[] = [{ ...upstream, name: 'direct' }]
    try {
      ways.push(await start('bare', [upstream.url]), await start('longhaul', [upstream.url]))
      ways.push(await startBudgeted(upstream.url, url, dataDir), await startPortkey(upstream.url))
      await compare(ways, emit)
    } finally {
      await Promise.all(ways.map(({ process: child }) => child.kill() && once(child, 'exit')))
    }
  })

async function compare(ways: Way[], emit: Emit): Promise<void> {
  const samples = new Map<string, number[]>()
  const note = (figure: string, value: number) => samples.set(figure, [...(samples.get(figure) ?? []), value])
  for (const way of ways) await load(way, 50, 10_000 * (way.share ?? 1)) // Compiled, connected.
  for (let round = 0; round < rounds; round++) {
    for (const way of ways) {
      const one = await load(way, 1, 600)
      note(`${way.name}_p50_ms_1`, quantile(one.times, 0.5))
      note(`${way.name}_p99_ms_1`, quantile(one.times, 0.99))
      const many = await load(way, 50, 5_000 * (way.share ?? 1))
      note(`${way.name}_p50_ms_50`, quantile(many.times, 0.5))
      note(`${way.name}_p99_ms_50`, quantile(many.times, 0.99))
      note(`${way.name}_requests_per_second`, many.perSecond)
      note(`${way.name}_cpu_us_per_request`, many.cpuMicros)
      if (!way.isWithoutStreams) note(`${way.name}_first_token_ms`, quantile(await streams(way, 40), 0.5))
    }
  }
  const medians = new Map([...samples].map(([figure, values]) => [figure, quantile(values, 0.5)]))
  for (const [figure, value] of medians) emit({ figure, value, unit: figure.includes('_ms') ? 'ms' : figure.includes('cpu') ? 'µs' : '1/s', n: rounds })
  const of = (figure: string) => medians.get(figure) ?? NaN
  for (const { name } of ways.slice(1)) {
    emit({ figure: `${name}_added_p50_ms_1`, value: of(`${name}_p50_ms_1`) - of('direct_p50_ms_1'), unit: 'ms', n: rounds })
    emit({ figure: `${name}_added_p99_ms_1`, value: of(`${name}_p99_ms_1`) - of('direct_p99_ms_1'), unit: 'ms', n: rounds })
    if (medians.has(`${name}_first_token_ms`))
      emit({ figure: `${name}_added_first_token_ms`, value: of(`${name}_first_token_ms`) - of('direct_first_token_ms'), unit: 'ms', n: rounds })
  }
  for (const other of ['bare', 'portkey'])
    emit({
      figure: `longhaul_to_${other}_requests_ratio`,
      value: of('longhaul_requests_per_second') / of(`${other}_requests_per_second`),
      unit: '',
      n: rounds,
    })
  for (const way of ways.slice(1).filter(({ isWithoutStreams }) => !isWithoutStreams)) {
    const before = memoryMb(way.process.pid)
    const { during } = await openStreams(way, 500)
    emit({ figure: `${way.name}_memory_mb_idle`, value: before, unit: 'MB', n: 1 })
    emit({ figure: `${way.name}_memory_mb_500_streams`, value: during, unit: 'MB', n: 1 })
  }
}

function start(name: string, args: string[]): Promise<Way> {
  const child = spawn(process.execPath, ['--conditions=longhaul-source', join(import.meta.dirname, 'gateway-programs.ts'), name, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  return new Promise((resolve, reject) => {
    child.stdout.on('data', (line: Buffer) => {
      const [url] = /^http:\S+$/m.exec(String(line)) ?? []
      if (url) resolve({ name, url, process: child, ...(name === 'longhaul' && { path: ourPath }) })
    })
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code}`)))
  })
}

/** A whole server: the key is looked up, a budget of tokens that does not run out reserves each call's worst case, and what it used is booked. */
async function startBudgeted(upstream: string, databaseUrl: string, dataDir: string): Promise<Way> {
  const server = await startServer(databaseUrl, join(dataDir, 'server'), join(import.meta.dirname, 'agents'), {
    LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: `${upstream}/v1`,
    LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'm',
  })
  const headers = { authorization: `Bearer ${server.key}` }
  const budget = { name: 'bench', unit: 'tokens', limit: 1e12 }
  const made = await request(`${server.url}/v1/budgets`, {
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify(budget),
  })
  if (made.statusCode !== 200) throw new Error(`The budget was not made: ${await made.body.text()}`)
  return { name: 'budgeted', url: server.url, path: ourPath, process: server.process, headers, share: 0.2 }
}

/** Without its console, and without anything between it and the fake provider. Its streams end with status 500 under this Node. */
async function startPortkey(upstream: string): Promise<Way> {
  const program = join(await installPeer('portkey'), 'node_modules/@portkey-ai/gateway/build/start-server.js')
  const port = await freePort()
  const child = spawn(process.execPath, [program, `--port=${port}`, '--headless'], { stdio: 'ignore' })
  const headers = { 'x-portkey-provider': 'openai', 'x-portkey-custom-host': `${upstream}/v1` }
  const way = { name: 'portkey', url: `http://127.0.0.1:${port}`, process: child, headers, share: 0.1, isWithoutStreams: true }
  for (let tries = 0; ; tries++) {
    const isThere = await call(way, prompt, () => {}).then(
      () => true,
      () => false,
    )
    if (isThere) return way
    if (tries === 100) throw new Error('Portkey does not answer.')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The client: undici's `dispatch`, so that what is measured is not its own cost. */
const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 1 })

function call(way: Way, body: string, onData: (chunk: Buffer) => void): Promise<void> {
  const { origin } = new URL(way.url)
  const path = way.path ?? '/v1/chat/completions'
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...way.headers }
  return new Promise((resolve, reject) => {
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart() {},
      onResponseStart(_, status) {
        if (status !== 200) reject(new Error(`${way.name}: ${status}`))
      },
      onResponseData: (_, chunk) => onData(chunk),
      onResponseEnd: () => resolve(),
      onResponseError: (_, error) => reject(error),
    }
    agent.dispatch({ origin, path, method: 'POST', headers, body }, handler)
  })
}

async function load(way: Way, concurrency: number, total: number): Promise<{ times: number[]; perSecond: number; cpuMicros: number }> {
  const times: number[] = []
  let left = total
  const cpuBefore = cpuSeconds(way.process.pid)
  const from = performance.now()
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (left-- > 0) {
        const at = performance.now()
        await call(way, prompt, () => {})
        times.push(performance.now() - at)
      }
    }),
  )
  const seconds = (performance.now() - from) / 1_000
  return { times, perSecond: total / seconds, cpuMicros: ((cpuSeconds(way.process.pid) - cpuBefore) / total) * 1e6 }
}

/** From the request to the first byte of an answer in 200 pieces. */
async function streams(way: Way, count: number): Promise<number[]> {
  const first: number[] = []
  for (let i = 0; i < count; i++) {
    const at = performance.now()
    let seen = false
    await call(way, streaming, () => {
      if (!seen) first.push(performance.now() - at)
      seen = true
    })
  }
  return first
}

/** Memory while so many streams are open that say a word every second. */
async function openStreams(way: Way, count: number): Promise<{ during: number }> {
  const slow = streaming.replace('"temperature":0.2', '"temperature":0.2,"user":"slow"')
  let begun = 0
  let during = 0
  const all = Array.from({ length: count }, () => {
    let seen = false
    return call(way, slow, () => {
      if (!seen) begun++
      seen = true
      if (begun === count) during = Math.max(during, memoryMb(way.process.pid))
    })
  })
  await Promise.all(all)
  return { during }
}

const memoryMb = (pid: number | undefined): number => Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1024

/** User and system time, in ticks of a hundredth of a second. */
function cpuSeconds(pid: number | undefined): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN
}
