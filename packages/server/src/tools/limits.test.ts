import { afterAll, expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { openMcpServer, text } from '../../test/support/mcp-server.ts'
import { failureOf, openToolsBed } from '../../test/support/tools-bed.ts'
import { newId } from '../kernel/index.ts'

const database = await makeDatabase()
afterAll(() => database[Symbol.asyncDispose]())

const sum = (bed: Awaited<ReturnType<typeof openToolsBed>>) => bed.call('calculator', { expression: '1+1' })

test('no more calls in a minute than the limit, whichever server they go through', async () => {
  const tenantId = newId()
  const options = { db: database.db, tenantId, toolLimits: { calculator: { perMinute: 5 } } }
  await using one = await openToolsBed(options)
  await using other = await openToolsBed(options)
  const settled = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => sum(i % 2 ? one : other)))
  expect(settled.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
  const failure = await failureOf(sum(one))
  expect(failure).toMatchObject({ code: 'over_limit', retryable: true })
  expect(failure.retryAfterMs).toBeGreaterThan(0)
  expect(failure.retryAfterMs).toBeLessThanOrEqual(12_000)
  await using neighbour = await openToolsBed({ ...options, tenantId: newId() })
  expect((await sum(neighbour)).output).toBe('2')
})

test('no more calls at once than the limit, and room again when one ends', async () => {
  const gate = Promise.withResolvers<void>()
  const begun = Promise.withResolvers<void>()
  await using server = await openMcpServer({ tools: [{ name: 'wait', call: async () => (begun.resolve(), await gate.promise, text('ok')) }] })
  await using bed = await openToolsBed({
    db: database.db,
    connections: { crm: { kind: 'mcp', url: server.url } },
    privateHosts: [server.host],
    toolLimits: { 'crm__*': { concurrent: 1 } },
  })
  const first = bed.call('crm__wait')
  await begun.promise
  expect(await failureOf(bed.call('crm__wait'))).toMatchObject({ code: 'over_limit', retryable: true })
  gate.resolve()
  expect((await first).output).toBe('ok')
  expect((await bed.call('crm__wait')).output).toBe('ok')
})

test('an operator’s limits go before the folder’s, the more exact before the less, and are taken back', async () => {
  await using bed = await openToolsBed({ db: database.db, toolLimits: { '*': { isOff: true }, calculator: { isOff: false } } })
  const { tenantId } = bed.run
  const limit = (limits: object) => bed.tools.limit(tenantId, 'ann', { agent: 'helper', pattern: 'calculator', limits })
  expect((await sum(bed)).output).toBe('2')
  expect(await failureOf(bed.call('web_search', { query: 'x' }))).toMatchObject({ code: 'off' })
  expect(await limit({ isOff: true })).toEqual({ agent: 'helper', limits: { calculator: { isOff: true } } })
  expect(await failureOf(sum(bed))).toMatchObject({ code: 'off', retryable: false })
  expect(await limit({})).toEqual({ agent: 'helper', limits: {} })
  expect((await sum(bed)).output).toBe('2')
  await expect(bed.tools.limit('another', 'eve', { agent: 'helper', pattern: '*', limits: { isOff: true } })).rejects.toMatchObject({ code: 'not_found' })
})

test('a tool that is switched off is not offered', async () => {
  await using server = await openMcpServer({ tools: [{ name: 'a' }, { name: 'b' }] })
  await using bed = await openToolsBed({
    db: database.db,
    connections: { crm: { kind: 'mcp', url: server.url } },
    privateHosts: [server.host],
    toolLimits: { crm__b: { isOff: true } },
  })
  const { tools, withheld } = await bed.connect('crm')
  expect(tools.map(({ name }) => name)).toEqual(['crm__a'])
  expect(withheld).toEqual([{ connection: 'crm', tool: 'crm__b', why: 'It is switched off.' }])
  expect((await bed.tools.list(bed.run.tenantId, 'helper')).map(({ name, state }) => [name, state])).toEqual([
    ['crm__a', 'ready'],
    ['crm__b', 'off'],
  ])
})

test('tools of an agent’s own code are held to the same limits: they wait for room, and are told of a rate that they cannot wait for', async () => {
  await using bed = await openToolsBed({
    db: database.db,
    toolLimits: { refund: { concurrent: 1, timeoutMs: 500 }, mail: { perMinute: 1 }, off: { isOff: true } },
  })
  const admit = async (name: string) => {
    const admission = await bed.tools.admit({ run: bed.run, name })
    return admission.failure ? { failure: admission.failure } : admission
  }
  const first = await admit('refund')
  expect(first).toMatchObject({ timeoutMs: 500 })
  let isIn = false
  const second = admit('refund').then((admission) => ((isIn = true), admission))
  expect(await admit('free')).toMatchObject({ leave: undefined }) // Nothing holds it, and the one before still waits.
  expect(isIn).toBe(false)
  if ('leave' in first) first.leave?.()
  expect(await second).toMatchObject({ timeoutMs: 500 })
  await admit('mail')
  expect(await admit('mail')).toMatchObject({ failure: { code: 'over_limit', retryable: false } })
  expect(await admit('off')).toMatchObject({ failure: { code: 'off' } })
})
