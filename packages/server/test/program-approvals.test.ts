/** Custom agents whose programs need a person's word, with the real program: asked at the door, slept over, decided, and done once, whatever is killed. */
import { readFileSync, readdirSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Json, isTerminal } from '@longhaul/protocol'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { until } from './support/api-bed.ts'
import { isHere } from './support/sandbox-modes.ts'
import { openServerProcess } from './support/server-process.ts'

const canRun = isHere('bwrap', 'custom agents')
const limitMs = 120_000
const server = await openServerProcess({
  env: {
    LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/asking-agents'),
    LONGHAUL_SANDBOX_DRIVER: canRun ? 'bwrap' : 'virtual',
    LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk',
    LONGHAUL_LEASE_MS: '2000',
    LONGHAUL_TOOLS_PRIVATE_HOSTS: '127.0.0.1',
  },
})
const { client } = server
/** What the shop was told. */
let orders: { item: string; key: string | undefined }[] = []
/** The next order gets no answer. */
let isSlow = false
const shop = createServer((request, response) => {
  let item = ''
  request.on('data', (piece: Buffer) => (item += piece.toString()))
  request.on('end', () => {
    orders.push({ item, key: String(request.headers['idempotency-key']) })
    if (!isSlow) response.end(`order ${orders.length}`)
  })
})
const url = () => `http://127.0.0.1:${(shop.address() as AddressInfo).port}/orders`

const asksFirst = (more = '') => `@require("approval") ${more}\nforbid (principal, action == Action::"tools.call", resource == Tool::"http_request");`
beforeAll(async () => {
  if (!canRun) return
  await new Promise<void>((resolve) => shop.listen(0, '127.0.0.1', resolve))
  await server.start()
  await client.policies.put({ name: 'orders', text: asksFirst() })
}, limitMs)
beforeEach(() => void ((orders = []), (isSlow = false)))
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  shop.closeAllConnections()
  shop.close()
})

const start = async (doing: string, more: { session?: string } = {}) => (await client.runs.start({ agent: 'asks', input: { doing, url: url() }, ...more })).id
const get = (runId: string) => client.runs.get({ runId })
const asleep = (runId: string) =>
  until(
    () => get(runId),
    ({ state, wait }) => state === 'waiting' && wait?.kind === 'approval',
    60_000,
  )
const ended = (runId: string) =>
  until(
    () => get(runId),
    ({ state, wait }) => isTerminal(state) || wait?.kind === 'operator',
    60_000,
  )
const approvalsOf = async (runId: string) => (await client.approvals.list({ runId })).items.toReversed()
const asked = async (runId: string, count = 1) => {
  const found = await until(
    () => approvalsOf(runId),
    ({ length }) => length >= count,
    30_000,
  )
  return found.map(({ id }) => id)
}
const decide = (approvalId: string | undefined, approved = true, more: { comment?: string; answers?: Record<string, Record<string, string>> } = {}) =>
  client.approvals.decide({ approvalId: approvalId ?? '', approved, ...more })
const outputOf = (run: { output: Json; failure: unknown }) => {
  expect(run.failure).toBeNull()
  return (run.output as { output: Record<string, Json> }).output
}
const eventsOf = async (runId: string) => (await client.runs.events({ runId, limit: 200 })).items
/** Processes of programs, which descend from the server. */
function programs(): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const [, parent] = /^PPid:\s+(\d+)/m.exec(readProc(name, 'status')) ?? []
    parents.set(Number(name), Number(parent))
  }
  const isOurs = (pid: number): boolean => pid === server.life().pid || (pid > 1 && isOurs(parents.get(pid) ?? 0))
  return [...parents.keys()].filter((pid) => readProc(String(pid), 'cmdline').startsWith('node\0main.mjs') && isOurs(pid))
}
function readProc(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8')
  } catch {
    return '' // It has just ended.
  }
}
async function killAndStart() {
  server.life().kill('SIGKILL')
  await server.ended()
  await server.start()
}

test.runIf(canRun)('a call that needs a person’s word sleeps without a process, and is made once when they have given it', { timeout: limitMs }, async () => {
  const run = await start('sleep')
  expect(await asleep(run)).toMatchObject({ wait: { kind: 'approval', name: 'Call http_request?' } })
  const [approval] = await approvalsOf(run)
  expect(approval).toMatchObject({
    state: 'pending',
    agent: 'asks',
    detail: { tool: 'http_request', input: { method: 'POST', url: url(), body: 'book' }, why: expect.stringContaining('orders') },
  })
  await until(
    async () => programs(),
    ({ length }) => length === 0,
    10_000,
  )
  expect(orders).toEqual([])
  await decide(approval?.id)
  const done = await ended(run)
  const result = { status: 200, body: { output: expect.objectContaining({ status: 200 }) } }
  expect(outputOf(done)).toMatchObject({ ...result, again: result, isContinuation: true, given: { doing: 'sleep' } })
  expect(orders).toHaveLength(1)
  const types = (await eventsOf(run)).flatMap(({ type, op }) => (op === '0' ? [type] : []))
  expect(types).toEqual(['step.started', 'step.paused', 'step.started', 'step.completed'])
})

test.runIf(canRun)('one that does not say that it can wait is refused as before, and told how to ask', { timeout: limitMs }, async () => {
  const run = await start('plain')
  expect(outputOf(await ended(run))).toMatchObject({
    status: 403,
    body: { error: { code: 'needs_approval', message: expect.stringContaining('Prefer: respond-async') } },
    isContinuation: false,
  })
  expect(await approvalsOf(run)).toEqual([])
})

test.runIf(canRun)('one that keeps asking, or lets its request wait, hears of it without ending', { timeout: limitMs }, async () => {
  for (const doing of ['poll', 'hold']) {
    orders = []
    const run = await start(doing)
    const [id] = await asked(run)
    expect(await get(run)).toMatchObject({ state: 'running' })
    expect(programs()).toHaveLength(1)
    await decide(id, true, { comment: 'go on' })
    const output = outputOf(await ended(run))
    expect(output).toMatchObject({ status: 200, isContinuation: false })
    if (doing === 'poll') expect(output).toMatchObject({ first: 202, seen: { approval: { id, state: 'approved', comment: 'go on' } } })
    expect(orders).toHaveLength(1)
  }
})

test.runIf(canRun)('a no is told with its reason, and nothing is done', { timeout: limitMs }, async () => {
  const run = await start('sleep')
  await asleep(run)
  await decide((await asked(run))[0], false, { comment: 'too many books' })
  const refused = { status: 403, body: { error: { code: 'denied', message: expect.stringContaining('too many books') } } }
  expect(outputOf(await ended(run))).toMatchObject({ ...refused, again: refused })
  expect(orders).toEqual([])
  expect(await approvalsOf(run)).toHaveLength(1)
})

test.runIf(canRun)('what nobody decides in time expires by that name, a question as well as a call', { timeout: limitMs }, async () => {
  expect(outputOf(await ended(await start('briefly')))).toMatchObject({
    status: 200,
    body: { approval: { title: 'Quick?', state: 'expired' } },
    isContinuation: true,
  })
  expect(outputOf(await ended(await start('briefly allowed')))).toMatchObject({ status: 403, body: { error: { code: 'expired' } } })
  expect(orders).toEqual([])
})

test.runIf(canRun)('a question with a form is answered, and what nobody could decide is refused at once', { timeout: limitMs }, async () => {
  const run = await start('question')
  await asleep(run)
  const [approval] = await approvalsOf(run)
  expect(approval).toMatchObject({
    title: 'Which colour?',
    rule: null,
    ruleFrom: { policies: [], isOfCode: false },
    detail: { order: 17, asks: [{ key: 'form', fields: [{ name: 'colour', title: 'colour', isRequired: true }] }] },
  })
  await expect(decide(approval?.id, true, { answers: { form: { colour: 'green' } } })).rejects.toMatchObject({ code: 'invalid' })
  await decide(approval?.id, true, { answers: { form: { colour: 'blue' } } })
  expect(outputOf(await ended(run))).toMatchObject({ status: 200, body: { approval: { state: 'approved', answers: { colour: 'blue' } } } })
  expect(outputOf(await ended(await start('nobody')))).toMatchObject({ status: 400, body: { error: { code: 'invalid' } } })
})

test.runIf(canRun)('the rule of the policy holds for it, and two calls that look alike are two under keys of their own', { timeout: limitMs }, async () => {
  await client.policies.put({ name: 'orders', text: asksFirst('@approvers("2")') })
  const run = await start('both', { session: 'both' })
  const [one, other] = await asked(run, 2)
  expect((await approvalsOf(run)).map(({ rule, detail }) => [rule?.approversMin, (detail as { idempotencyKey: string }).idempotencyKey])).toEqual([
    [2, 'one'],
    [2, 'other'],
  ])
  expect(await decide(one)).toMatchObject({ state: 'pending', ruleFrom: { policies: ['orders'], isOfCode: false } })
  await asleep(run)
  expect(orders).toEqual([])
  await decide(one, false)
  await until(
    async () => (await eventsOf(run)).filter(({ type }) => type === 'step.paused').length,
    (count) => count >= 2,
    30_000,
  )
  await asleep(run)
  await client.policies.put({ name: 'orders', text: asksFirst() })
  await decide(other, false)
  expect(outputOf(await ended(run))).toMatchObject({ one: { status: 403 }, other: { status: 403 } })
  expect(orders).toEqual([])
})

test.runIf(canRun)(
  'of two that look alike the one is done that was allowed, and nothing but a decision has the program asked again',
  { timeout: limitMs },
  async () => {
    const run = await start('both', { session: 'alike' })
    const [one, other] = await asked(run, 2)
    await asleep(run)
    await client.runs.signal({ runId: run, name: 'hello', payload: null })
    await until(
      () => eventsOf(run),
      (events) => events.some(({ type }) => type === 'signal.received'),
      30_000,
    )
    await asleep(run)
    expect((await eventsOf(run)).filter(({ type, op }) => type === 'step.started' && op === '0')).toHaveLength(1)
    await decide(one, false)
    await decide(other)
    expect(outputOf(await ended(run))).toMatchObject({ one: { status: 403 }, other: { status: 200 } })
    expect(orders).toHaveLength(1)
  },
)

test.runIf(canRun)('of two that look alike and are both allowed, each is done under its own yes', { timeout: limitMs }, async () => {
  const run = await start('ordered', { session: 'ordered' })
  const [one, other] = await asked(run, 2)
  await asleep(run)
  await decide(other)
  await until(
    () => eventsOf(run),
    (events) => events.filter(({ type, op }) => type === 'step.paused' && op === '0').length === 2,
    30_000,
  )
  await decide(one)
  expect(outputOf(await ended(run))).toMatchObject({ one: { status: 200 }, other: { status: 200 } })
  expect(orders).toHaveLength(2)
})

test.runIf(canRun)('a session finds the instance that asked, as long as that is kept', { timeout: limitMs }, async () => {
  const run = await start('sleep', { session: 'same' })
  await asleep(run)
  const before = programs()
  expect(before).not.toEqual([])
  await decide((await asked(run))[0])
  await ended(run)
  expect(programs()).toEqual(before)
})

test.runIf(canRun)('an answer that waits for nothing new is a failure, and any other is the result', { timeout: limitMs }, async () => {
  const stubborn = await start('stubborn', { session: 'stubborn' })
  await asleep(stubborn)
  await decide((await asked(stubborn))[0])
  expect(await ended(stubborn)).toMatchObject({ state: 'failed', failure: { code: 'bad_answer', message: expect.stringContaining('approved before') } })
  expect(await ended(await start('invented'))).toMatchObject({
    state: 'failed',
    failure: { code: 'bad_answer', message: expect.stringContaining('no approval') },
  })
  const unconcerned = await start('unconcerned')
  expect(outputOf(await ended(unconcerned))).toMatchObject({ asked: 202 })
  expect(await approvalsOf(unconcerned)).toMatchObject([{ state: 'withdrawn' }])
  expect(await ended(await start('innocent'))).toMatchObject({ state: 'completed', output: { output: { waitsFor: 'Godot' } } })
})

test.runIf(canRun)(
  'a kill -9 of the server before the decision, while it sleeps or while it is asking, loses and doubles nothing',
  { timeout: limitMs },
  async () => {
    const [sleeping, polling] = [await start('sleep'), await start('poll')]
    await asleep(sleeping)
    const [first, second] = [(await asked(sleeping))[0], (await asked(polling))[0]]
    await killAndStart()
    expect(await get(sleeping)).toMatchObject({ state: 'waiting', wait: { approvalId: first } })
    await decide(first)
    await decide(second)
    expect(outputOf(await ended(sleeping))).toMatchObject({ status: 200, isContinuation: true })
    expect(outputOf(await ended(polling))).toMatchObject({ status: 200, isContinuation: true })
    expect(orders).toHaveLength(2)
    for (const run of [sleeping, polling]) expect(await approvalsOf(run)).toHaveLength(1)
  },
)

test.runIf(canRun)(
  'a kill -9 between decision and call: it is made once; in the middle of the call: it is not made again on a guess',
  { timeout: limitMs },
  async () => {
    const run = await start('sleep')
    await asleep(run)
    const [id] = await asked(run)
    await decide(id)
    await killAndStart() // Whatever of it had begun.
    const before = await ended(run)
    expect(orders.length).toBe(1)
    expect(outputOf(before)).toMatchObject({ isContinuation: true })

    orders = []
    isSlow = true
    const cut = await start('sleep')
    await asleep(cut)
    await decide((await asked(cut))[0])
    await until(
      async () => orders.length,
      (count) => count === 1,
      30_000,
    )
    isSlow = false
    await killAndStart()
    expect(outputOf(await ended(cut))).toMatchObject({ status: 409, body: { error: { code: 'interrupted' } } })
    expect(orders).toHaveLength(1)
  },
)
