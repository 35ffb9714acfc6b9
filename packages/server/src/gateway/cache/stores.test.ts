/** Answers that are kept elsewhere than in the database: what is the same everywhere, and what becomes of a store that is away. */
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import { startFakeRedis } from '../../../test/support/fake-redis.ts'
import { makeFolder } from '../../../test/support/folders.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { createLog, silentLog } from '../../kernel/index.ts'
import { openAnswers } from './answers.ts'
import { openAnswerStore } from './stores.ts'

const chat = { model: 'compatible/m', messages: [{ role: 'user', content: 'Hello' }] }
const wish = { 'x-longhaul-cache': 'ttl=60' }

async function openBed(where: string, log = silentLog) {
  const database = await makeDatabase()
  const open = async () => openAnswers({ store: await openAnswerStore(where, { db: database.db, log }), log })
  const answers = await open()
  const bed = await openFacesBed([{ text: ['Good ', 'day — 你好.'] }], { answers })
  const stopped = [answers]
  const asked = new Map<unknown, number>()
  return {
    ...bed,
    answers,
    async ask(of: Pick<typeof bed, 'post' | 'calls'> = bed, headers: Record<string, string> = wish) {
      const answer = await of.post('/openai/v1/chat/completions', chat, headers)
      const text = await answer.text()
      const count = (asked.get(of) ?? 0) + 1
      asked.set(of, count)
      await expect.poll(of.calls).toHaveLength(count) // What is kept is kept by then.
      return { cache: answer.headers.get('x-longhaul-cache'), text }
    },
    /** A server beside this one, with nothing in memory. */
    async second() {
      const others = await open()
      stopped.push(others)
      return openFacesBed([{ text: ['Another.'] }], { answers: others })
    },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      for (const each of stopped) await each.stop()
      await database[Symbol.asyncDispose]()
    },
  }
}

test('in memory each server has its own, for the whole of its time', async () => {
  await using t = await openBed('memory')
  const first = await t.ask()
  expect([first.cache, (await t.ask()).cache]).toEqual(['miss', 'hit'])
  await using other = await t.second()
  expect((await t.ask(other)).cache).toBe('miss')
  expect((await t.ask(undefined, { ...wish, authorization: 'Bearer lh_foreign' })).cache).toBe('miss')
  expect(await t.answers.clear('acme')).toEqual({ deleted: 1 })
  expect((await t.ask()).cache).toBe('miss')
  expect((await t.ask(undefined, { ...wish, authorization: 'Bearer lh_foreign' })).cache).toBe('hit')
})

const redisServer = (process.env['PATH'] ?? '')
  .split(delimiter)
  .flatMap((folder) => ['redis-server', 'valkey-server'].map((name) => join(folder, name)))
  .find((path) => {
    try {
      accessSync(path)
      return true
    } catch {
      return false
    }
  })

type Redis = { url: string; [Symbol.asyncDispose](): Promise<void> }
const redises: [string, boolean, () => Promise<Redis>][] = [
  ['a server that speaks like Redis', true, () => startFakeRedis({ password: 'redis-secret' })],
  ['a real Redis, where there is one on this machine', redisServer !== undefined, startRedis],
]

describe.each(redises)('%s', (_, isThere, start) => {
  test.runIf(isThere)('holds answers for all servers, byte for byte, each tenant’s apart, until they are cleared or their time is up', async () => {
    await using redis = await start()
    await using t = await openBed(redis.url)
    const first = await t.ask()
    expect(first.cache).toBe('miss')
    await using other = await t.second()
    expect(await t.ask(other)).toEqual({ cache: 'hit', text: first.text })
    expect(other.fake.requests).toHaveLength(0)
    const foreign = { ...wish, authorization: 'Bearer lh_foreign' }
    expect((await t.ask(undefined, foreign)).cache).toBe('miss')
    expect(await t.answers.clear('acme')).toEqual({ deleted: 1 })
    await using third = await t.second()
    expect((await t.ask(third)).cache).toBe('miss')
    expect((await t.ask(third, foreign)).cache).toBe('hit') // Of another tenant nothing was cleared.
    const brief = { ...wish, 'x-longhaul-cache': 'refresh, ttl=1' }
    await t.ask(undefined, brief)
    await using fourth = await t.second()
    expect((await t.ask(fourth)).cache).toBe('hit')
    const late = async () => {
      await using server = await t.second()
      return (await t.ask(server, { 'x-longhaul-cache': 'on' })).cache
    }
    await expect.poll(late, { timeout: 5_000, interval: 200 }).toBe('miss')
  })
})

test('a Redis that is away, silent or comes back costs no answer', async () => {
  const warnings: string[] = []
  const log = createLog((level, message) => level !== 'debug' && warnings.push(message))
  const redis = await startFakeRedis()
  await using t = await openBed(redis.url, log)
  expect((await t.ask()).cache).toBe('miss')
  expect(redis.commands.map(([name]) => name)).toContain('SET') // The control.
  redis.silence()
  await using other = await t.second()
  expect(await t.ask(other)).toMatchObject({ cache: 'miss', text: expect.stringContaining('Another.') as string })
  await redis[Symbol.asyncDispose]()
  await using third = await t.second()
  expect(await t.ask(third)).toMatchObject({ cache: 'miss' })
  expect(warnings).toContain('the cache of answers could not be asked')
})

async function startRedis(): Promise<Redis> {
  const folder = await makeFolder()
  const port = 20_000 + (process.pid % 20_000)
  const child: ChildProcess = spawn(redisServer ?? '', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder.folder], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await new Promise<void>((resolve) => child.stdout?.on('data', (line: Buffer) => line.includes('Ready to accept') && resolve()))
  return {
    url: `redis://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      const ended = new Promise((resolve) => child.once('exit', resolve))
      child.kill()
      await ended
      await folder[Symbol.asyncDispose]()
    },
  }
}
