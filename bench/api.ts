/** The HTTP API of a server in a process of its own, over a million runs: starts that are durable before the answer, one run, lists, and a run that a thousand follow. */
import { randomUUID } from 'node:crypto'
import { get } from 'node:http'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { Pool } from 'undici'
import { type Db, sql } from '../packages/server/src/db/index.ts'
import { sleep } from '../packages/server/src/kernel/index.ts'
import { quantile, withDatabase } from './bed.ts'
import type { Line } from './line.ts'
import { type Server, startServer } from './server.ts'

const runCount = 1_000_000
const subscriberCount = 1_000
const connections = 50

export async function apiBench(emit: (line: Line) => void): Promise<void> {
  await withDatabase(async ({ url, dataDir, owner }) => {
    await fill(owner)
    const server = await startServer(url, join(dataDir, 'server'), join(import.meta.dirname, 'agents'))
    try {
      const ask = asker(server)
      emit({ figure: 'load_average', value: loadavg()[0] ?? NaN, unit: '', n: 1 })
      const day = 86_400_000
      const later = () => ask('POST', '/v1/runs', { agent: 'steps', input: null, delayMs: day, idempotencyKey: randomUUID() })
      const now = () => ask('POST', '/v1/runs', { agent: 'steps', input: { count: 0, bytes: 0, isTimed: false, waits: false } })
      await measure(emit, 'start', 5_000, later)
      await measure(emit, 'start_executed', 3_000, now)
      const ids = (await owner.rows<{ id: string }>(sql`select id from runs order by random() limit 2000`)).map(({ id }) => id)
      let at = 0
      await measure(emit, 'get', 5_000, () => ask('GET', `/v1/runs/${ids[at++ % ids.length]}`))
      const middle = ids.toSorted()[1_000]
      for (const [name, query] of [
        ['list', ''],
        ['list_deep', `&cursor=${middle}`],
        ['list_of_agent', '&agent=rare'],
        ['list_of_old_agent', '&agent=old'],
        ['list_failed', '&state=failed'],
        ['list_waiting', '&state=waiting'],
      ] as const) {
        await measure(emit, name, 500, () => ask('GET', `/v1/runs?limit=50${query}`), 4)
      }
      await fanOut(emit, 'sse', ask, byServerSentEvents(server))
      await fanOut(emit, 'websocket', ask, byWebSocket(server))
    } finally {
      await server.stop()
    }
  })
}

/** As they would be after a month: nearly all have completed, one in 20,000 failed or waits, one agent has hardly any, and one had all of its own long ago. */
async function fill(owner: Db): Promise<void> {
  await owner.rows(sql`
    insert into runs (id, tenant_id, agent, version, state, input, asker, event_count, created_at, started_at, ended_at)
    select (lpad(to_hex(1760000000000 + n::bigint), 12, '0') || '7000' || '8000' || lpad(to_hex(n), 12, '0'))::uuid, 'default',
      case when n % 20000 = 7 then 'rare' when n < 30000 and n % 2 = 0 then 'old' else 'agent-' || n % 19 end, 'v1',
      case when n % 20000 = 1 then 'failed' when n % 20000 = 2 then 'waiting' else 'completed' end,
      '{"question":"How many customers did we win last month?"}', '{"id":"bench","name":"bench","access":{"personalData":true}}', 12,
      now() - interval '30 days', now(), now()
    from generate_series(1, ${runCount}) n`)
  await owner.rows(sql`vacuum analyze runs`)
  await owner.rows(sql`checkpoint`) // What was just filled in is on the disk as well, as that of a month would be.
}

type Ask = (method: 'GET' | 'POST', path: string, body?: unknown) => Promise<unknown>

function asker({ url, key }: Server): Ask {
  const pool = new Pool(url, { connections })
  return async (method, path, body) => {
    const response = await pool.request({
      method,
      path,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const text = await response.body.text()
    if (response.statusCode !== 200) throw new Error(`${method} ${path}: ${response.statusCode} ${text}`)
    return JSON.parse(text)
  }
}

async function measure(emit: (line: Line) => void, name: string, count: number, work: () => Promise<unknown>, atOnce = connections): Promise<void> {
  for (let i = 0; i < 200; i++) await work() // Compiled, connected.
  const times: number[] = []
  let left = count
  const from = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) {
        const since = performance.now()
        await work()
        times.push(performance.now() - since)
      }
    }),
  )
  emit({ figure: `${name}_per_second`, value: count / ((performance.now() - from) / 1_000), unit: '1/s', n: count })
  emit({ figure: `${name}_p50_ms`, value: quantile(times, 0.5), unit: 'ms', n: count })
  emit({ figure: `${name}_p99_ms`, value: quantile(times, 0.99), unit: 'ms', n: count })
}

/** From the signal's request until each of those who follow the run has heard of its end. */
async function fanOut(emit: (line: Line) => void, name: string, ask: Ask, follow: (runId: string) => Promise<Follower>[]): Promise<void> {
  const { id } = (await ask('POST', '/v1/runs', { agent: 'steps', input: { count: 0, bytes: 0, isTimed: false, waits: true } })) as { id: string }
  while (((await ask('GET', `/v1/runs/${id}`)) as { state: string }).state !== 'waiting') await sleep(20)
  const followers = await Promise.all(follow(id))
  const from = performance.now()
  await ask('POST', `/v1/runs/${id}/signals/go`, {})
  const times = (await Promise.all(followers.map(({ ended }) => ended))).map((at) => at - from)
  for (const { close } of followers) close()
  emit({ figure: `fan_out_${name}_p50_ms`, value: quantile(times, 0.5), unit: 'ms', n: subscriberCount })
  emit({ figure: `fan_out_${name}_last_ms`, value: Math.max(...times), unit: 'ms', n: subscriberCount })
}

type Follower = { /** When it heard of the end. */ ended: Promise<number>; close(): void }

/** Each over a connection of its own. */
const byServerSentEvents =
  ({ url, key }: Server) =>
  (runId: string): Promise<Follower>[] =>
    Array.from({ length: subscriberCount }, () => {
      const ended = Promise.withResolvers<number>()
      return new Promise((resolve, reject) => {
        const headers = { authorization: `Bearer ${key}`, accept: 'text/event-stream' }
        const request = get(`${url}/v1/runs/${runId}/events`, { agent: false, headers }, (response) => {
          let text = ''
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString()
            if (text.includes('event: wait.created')) resolve({ ended: ended.promise, close: () => request.destroy() })
            if (text.includes('event: run.completed')) ended.resolve(performance.now())
          })
        })
        request.on('error', reject)
      })
    })

const subscriptionsOfOne = 100

/** A hundred over each connection. */
const byWebSocket =
  ({ url, key }: Server) =>
  (runId: string): Promise<Follower>[] =>
    Array.from({ length: subscriberCount / subscriptionsOfOne }, () => {
      const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/live`)
      const followers = new Map(
        Array.from({ length: subscriptionsOfOne }, (_, at) => [String(at), { begun: Promise.withResolvers<void>(), ended: Promise.withResolvers<number>() }]),
      )
      socket.addEventListener('open', () => {
        socket.send(JSON.stringify({ type: 'hello', key }))
        for (const id of followers.keys()) socket.send(JSON.stringify({ type: 'subscribe', id, operation: 'runs.events', input: { runId } }))
      })
      socket.addEventListener('message', ({ data }) => {
        const { type, id, event, error } = JSON.parse(String(data)) as { type: string; id: string; event?: string; error?: unknown }
        if (type === 'refused') throw new Error(JSON.stringify(error))
        if (event === 'wait.created') followers.get(id)?.begun.resolve()
        if (event === 'run.completed') followers.get(id)?.ended.resolve(performance.now())
      })
      const lost = new Promise<never>((_, reject) => socket.addEventListener('close', ({ code, reason }) => reject(new Error(`${code} ${reason}`))))
      lost.catch(() => {}) // It is closed at the end.
      return [...followers.values()].map(async ({ begun, ended }) => {
        await Promise.race([begun.promise, lost])
        return { ended: ended.promise, close: () => socket.close() }
      })
    }).flat()
