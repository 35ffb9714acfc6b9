/** Two real servers on one database, restarted one after the other while people start runs and read them. */
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Run } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { checkJournals } from './support/journal-checks.ts'
import { makeDatabase } from './support/postgres.ts'
import { type ServerProcess, openServerProcess, until } from './support/server-process.ts'

const agent = `
import { appendFileSync } from 'node:fs'
import { durable } from '@longhaul/sdk'
export default durable('takes its time', async (ctx, input) => {
  for (let i = 0; i < input.steps; i++)
    await ctx.step('step ' + i, async () => {
      appendFileSync(input.ledger, ctx.run.id + ' ' + i + '\\n')
      await new Promise((resolve) => setTimeout(resolve, input.ms))
    })
  return 'done'
})
`

/** What stands in front of servers: it asks their health, and sends each request to one that is well. Only what was never taken is sent to the next one. */
function balance(servers: ServerProcess[]) {
  const isWell = new Map<ServerProcess, boolean>()
  let isOver = false
  let turn = 0
  const checking = (async () => {
    while (!isOver) {
      for (const server of servers)
        isWell.set(
          server,
          await fetch(`${server.url()}/healthz`).then(
            ({ status }) => status === 200,
            () => false,
          ),
        )
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  })()
  return {
    isWell: (server: ServerProcess) => isWell.get(server) === true,
    async ask(method: string, path: string, body?: object): Promise<Response> {
      for (let tries = 0; ; tries++) {
        const well = servers.filter((server) => isWell.get(server))
        const server = well[turn++ % Math.max(1, well.length)]
        if (server) {
          try {
            return await fetch(`${server.url()}${path}`, {
              method,
              headers: { authorization: `Bearer ${server.key()}` },
              ...(body && { body: JSON.stringify(body) }),
            })
          } catch (error) {
            const { code } = (error instanceof Error ? error.cause : {}) as { code?: string }
            if (code !== 'ECONNREFUSED' || tries > 100) throw error
          }
        }
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    async stop() {
      isOver = true
      await checking
    },
  }
}

test('a rolling restart under load fails no request, hands runs over between two steps, and repeats none', { timeout: 240_000 }, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'rolling-'))
  try {
    mkdirSync(join(folder, 'agents', 'steady', 'agent'), { recursive: true })
    writeFileSync(join(folder, 'agents', 'steady', 'agent', 'agent.ts'), agent)
    symlinkSync(join(import.meta.dirname, '../../../node_modules'), join(folder, 'node_modules'))
    const ledger = join(folder, 'ledger')
    appendFileSync(ledger, '')
    await using t = await makeDatabase()
    const env = {
      ...{ LONGHAUL_DATABASE_URL: t.url, LONGHAUL_AGENTS_DIR: join(folder, 'agents'), LONGHAUL_HTTP_GRACE_MS: '1000', LONGHAUL_DRAIN_MS: '20000' },
      LONGHAUL_WORKER_WALLS: 'off', // Both servers' workers write one ledger, which is in neither's data.
    }
    await using a = await openServerProcess({ env })
    await using b = await openServerProcess({ env })
    await Promise.all([a.start(), b.start()])
    const balancer = balance([a, b])
    await until('both servers to be well', 20_000, () => (balancer.isWell(a) && balancer.isWell(b)) || undefined)

    const failures: string[] = []
    const accepted: string[] = []
    let requestCount = 0
    let isOver = false
    const ask = async (method: string, path: string, body?: object): Promise<Run | undefined> => {
      requestCount++
      const answer = await balancer.ask(method, path, body).catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
      if (answer instanceof Response && answer.status === 200) return (await answer.json()) as Run
      failures.push(
        `${method} ${path}: ${answer instanceof Response ? `${answer.status} ${await answer.text()}` : `${answer.message} ${String(answer.cause)}`}`,
      )
      return undefined
    }
    const start = async (steps: number, ms: number) => {
      const run = await ask('POST', '/v1/runs', { agent: 'steady', input: { steps, ms, ledger } })
      if (run) accepted.push(run.id)
      return run
    }
    // Runs that outlast every restart, and people who come and go.
    for (let i = 0; i < 6; i++) await start(60, 400)
    const people = Array.from({ length: 3 }, async () => {
      while (!isOver) {
        const run = await start(2, 30)
        if (run) await ask('GET', `/v1/runs/${run.id}`)
        await new Promise((resolve) => setTimeout(resolve, 40))
      }
    })
    const codes: unknown[] = []
    for (const server of [a, b, a]) {
      server.life().kill('SIGTERM')
      codes.push(await server.ended())
      await server.start()
      await until('the server to be well again', 30_000, () => balancer.isWell(server) || undefined)
    }
    isOver = true
    await Promise.all(people)
    expect(failures).toEqual([])
    expect(requestCount).toBeGreaterThan(100)
    expect(codes).toEqual([0, 0, 0]) // In order, and so within its limit of half a minute.
    const open = async () => (await t.db.rows<{ count: number }>(sql`select count(*)::int as count from runs where ended_at is null`))[0]?.count
    await until('all runs to end', 120_000, async () => (await open()) === 0 || undefined)
    await balancer.stop()
    expect(await t.db.rows(sql`select id from runs where state <> 'completed'`)).toEqual([])
    expect((await t.db.rows<{ id: string }>(sql`select id from runs`)).map(({ id }) => id).toSorted()).toEqual(accepted.toSorted())
    // Handed over, and more than once: the long ones went through every restart.
    const [most] = await t.db.rows<{ epochs: number }>(sql`select max(epoch)::int as epochs from runs`)
    expect(most?.epochs).toBeGreaterThan(2)
    const lines = readFileSync(ledger, 'utf8').trim().split('\n')
    expect(lines.length).toBe(new Set(lines).size)
    await checkJournals(t.db)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})
