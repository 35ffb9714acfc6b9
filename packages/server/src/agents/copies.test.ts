/** Imports, forks and comparisons as the API has them. */
import { createHash } from 'node:crypto'
import { type JournalEntry, type Permission, type Run, permissions } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { everyone, startEngine, tenantId } from '../../test/support/engine.ts'
import { checkJournals } from '../../test/support/journal-checks.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import type { StepContext } from '../engine/index.ts'
import { newId, silentLog } from '../kernel/index.ts'
import { deleteExpired } from '../outcomes/retention-store.ts'
import { noAttachments, noPrompts } from '../../test/support/no-attachments.ts'
import { openAgents, runServices } from './agents.ts'
import { recordOf } from './deployment-store.ts'
import { type ExecutorPorts, makeExecutors } from './executors.ts'
import { insertVersion } from './version-store.ts'

const sandboxes = { connections: async () => ({ items: [], next: null }) }

const tenants = { startWithin: <Result>(_: string, __: string, start: () => Promise<Result>) => start() }
const usage = { input: 10, cachedInput: 0, output: 5, costUsd: 0.25 }
const callerWith = (given: readonly Permission[]) => ({
  askerId: undefined,
  keyId: newId(),
  tenantId,
  name: 'tester',
  permissions: given,
  access: { personalData: true },
})
const caller = callerWith(permissions)

async function makeWorld() {
  const t = await makeDatabase()
  const agents = openAgents({ db: t.db, log: silentLog, dataDir: '/nowhere', agentsDir: '/nowhere' })
  await insertVersion(t.db.forTenant(tenantId), tenantId, 'one', 'v1', Buffer.from(''))
  const e = await startEngine(
    t.db,
    {
      one: async (ctx) => {
        const answer = await ctx.serve('model', 'default', { question: ctx.input })
        await ctx.tool('pay', { amount: ctx.input }, () => 'paid', 'write').catch(() => {})
        if (ctx.input === 'fail') throw new Error('no')
        return answer
      },
    },
    { executors: { model: async (input) => ({ output: { text: JSON.stringify(input), usage }, usage }) } },
  )
  const { runs } = runServices({
    ...{ sandboxes, tenants, attachments: noAttachments, tools: noPrompts, db: t.db, engine: e.engine, agents },
    whyNotStart: async ({ input, startedBy }) => (input === 'forbidden' ? `a policy forbids it to a ${startedBy.type}` : undefined),
  })
  const exported = async ({ id }: Run): Promise<JournalEntry[]> => (await runs.journal(everyone, { runId: id, after: -1, limit: 1_000 })).items
  return {
    ...t,
    e,
    runs,
    exported,
    async [Symbol.asyncDispose]() {
      await e.stop()
      await t[Symbol.asyncDispose]()
    },
  }
}

test('an exported run is imported whole, marked, for reading only, and counts for nothing', async () => {
  await using w = await makeWorld()
  const original = await w.e.ended((await w.e.start('one', 'fail')).id)
  const journal = await w.exported(original)
  const about = { agent: 'one', version: 'v1', exportedAs: original.id }
  const imported = await w.runs.import(caller, { ...about, journal })
  expect(imported).toMatchObject({
    agent: 'one',
    version: 'v1',
    state: 'failed',
    input: 'fail',
    failure: original.failure,
    usage,
    imported: { runId: original.id, hash: journal.at(-1)?.hash, by: 'tester' },
    endedAt: journal.at(-1)?.at,
  })
  expect(imported.id).not.toBe(original.id)
  expect((await w.exported(imported)).map(({ data, at, type }) => [data, at, type])).toEqual(journal.map(({ data, at, type }) => [data, at, type]))
  await checkJournals(w.db)
  // Nobody executes it, retries it, or is troubled by it.
  await expect(w.runs.signal(caller, { runId: imported.id, name: 's', payload: null })).rejects.toMatchObject({ code: 'conflict' })
  await expect(w.runs.retry(caller, imported.id)).rejects.toMatchObject({ code: 'conflict' })
  expect(await w.runs.cancel(caller, { runId: imported.id })).toMatchObject({ state: 'failed' })
  expect(await recordOf(w.db.forTenant(tenantId), tenantId, 'one', 'v1', 0)).toMatchObject({ runCount: 1 })
  expect(await w.db.rows(sql`select from runs where id = ${imported.id} and is_dismissed and due_at is null and node_id is null`)).toHaveLength(1)
  // What was imported today is kept from today on.
  await w.db.rows(sql`update runs set ended_at = ended_at - interval '9 days'`)
  await w.db.rows(sql`insert into retention (tenant_id, namespace, days, set_by) values (${tenantId}, '', 2, 'a test')`)
  expect(await deleteExpired(w.db.forTenant(tenantId), tenantId, 10)).toBe(1)
  expect(await w.runs.find(everyone, imported.id)).toBeDefined()
  expect(await w.runs.find({ tenantId: 'other', askerId: undefined }, imported.id)).toBeUndefined()
})

test('who may not start an agent forks no run of it either, whatever changes bring it about', async () => {
  await using w = await makeWorld()
  const allowed = await w.e.ended((await w.e.start('one', 'allowed')).id)
  const forbidden = await w.e.ended((await w.e.start('one', 'forbidden')).id)
  const fork = (run: Run, changes: object = {}) => w.runs.fork(caller, { runId: run.id, changes, isLive: false })
  const refusal = { code: 'forbidden', message: 'a policy forbids it to a fork' }
  await expect(fork(forbidden)).rejects.toMatchObject(refusal)
  await expect(fork(allowed, { input: 'forbidden' })).rejects.toMatchObject(refusal)
  expect(await w.db.rows(sql`select from runs where fork is not null`)).toEqual([])
  expect(await fork(allowed)).toMatchObject({ fork: { runId: allowed.id } })
  expect(await fork(forbidden, { input: 'allowed' })).toMatchObject({ fork: { runId: forbidden.id } })
})

test('what was changed, is no run, or has not ended is not imported', async () => {
  await using w = await makeWorld()
  const original = await w.e.ended((await w.e.start('one', 'hello')).id)
  const journal = await w.exported(original)
  const about = { agent: 'one', version: 'v1', exportedAs: original.id }
  const rechained = (rows: readonly Pick<JournalEntry, 'type' | 'op' | 'data'>[]): JournalEntry[] => {
    let previous = ''
    return rows.map(({ type, op, data }, seq) => {
      previous = createHash('sha256')
        .update(`${previous}\n${original.id} ${seq} ${type} ${op ?? ''}\n${data}`)
        .digest('hex')
      return { seq, epoch: 0, at: '2026-01-01T00:00:00.000Z', type, op, data, hash: previous }
    })
  }
  const [first, ...rest] = journal
  if (!first) throw new Error('It has no events.')
  const bad: [JournalEntry[], RegExp][] = [
    [journal.with(1, { ...(journal[1] ?? first), data: '{}' }), /chain breaks at event 1/],
    [journal.toSpliced(1, 1), /event 2 stands where 1 should/],
    [journal.slice(0, -1), /Only a run that has ended/],
    [rechained([first, { ...first, type: 'run.completed', data: '{"output":1}' }, ...rest]), /Only a run that has ended/],
    [rechained(rest), /first event of a run is run.started/],
    [rechained([first, { type: 'run.exploded', op: null, data: '{}' }]), /Event 1 \(run.exploded\) is none/],
    [rechained([first, { type: 'run.completed', op: null, data: '{' }]), /not JSON/],
    [
      rechained([
        { ...first, data: '{"input":"\\u0000"}' },
        { type: 'run.completed', op: null, data: '{"output":1}' },
      ]),
      /Event 0/,
    ],
  ]
  for (const [changed, problem] of bad)
    await expect(w.runs.import(caller, { ...about, journal: changed })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringMatching(problem) as string,
    })
  await expect(w.runs.import(caller, { ...about, exportedAs: newId(), journal })).rejects.toMatchObject({ code: 'invalid' })
  expect((await w.runs.list(everyone, { limit: 10 })).items).toHaveLength(1)
})

test('two runs are compared from where the fork left its original', async () => {
  await using w = await makeWorld()
  const original = await w.e.ended((await w.e.start('one', 'hello')).id)
  const fork = await w.e.ended((await w.runs.fork(caller, { runId: original.id, op: '1', changes: { input: 'bye' }, isLive: false })).id)
  const none = { input: 0, cachedInput: 0, output: 0, costUsd: 0 }
  expect(await w.runs.compare(everyone, { runId: original.id, with: fork.id })).toEqual({
    a: { runId: original.id, state: 'completed', usage: none, withheldCount: 0, output: original.output, failure: null },
    b: { runId: fork.id, state: 'completed', usage: none, withheldCount: 1, output: original.output, failure: null },
    prefixCount: 3,
    sameCount: 0,
    differentCount: 1,
    different: [
      {
        op: '1',
        kind: 'tool',
        name: 'pay',
        a: { outcome: 'completed', value: 'paid', input: { amount: 'hello' } },
        b: { outcome: 'withheld', value: expect.stringContaining('Withheld') as string, input: { amount: 'bye' } },
      },
    ],
    isSameAnswer: true,
  })
  const anew = await w.e.ended((await w.runs.fork(caller, { runId: original.id, changes: { input: 'bye' }, isLive: false })).id)
  const compared = await w.runs.compare(everyone, { runId: anew.id, with: original.id })
  expect(compared).toMatchObject({ a: { usage }, b: { usage }, prefixCount: 1, sameCount: 0, differentCount: 2, isSameAnswer: false })
  expect(await w.runs.compare(everyone, { runId: original.id, with: original.id })).toMatchObject({ sameCount: 2, differentCount: 0, prefixCount: 0 })
  await expect(w.runs.compare({ tenantId, askerId: newId() }, { runId: original.id, with: fork.id })).rejects.toMatchObject({ code: 'not_found' })
})

test('a live fork takes the right to operate, a version that is here, and a run that was executed here', async () => {
  await using w = await makeWorld()
  const original = await w.e.ended((await w.e.start('one', 'hello')).id)
  const writer = callerWith(['runs:write', 'runs:read'])
  const fork = { runId: original.id, op: '1', changes: {}, isLive: true }
  await expect(w.runs.fork(writer, fork)).rejects.toMatchObject({ code: 'forbidden', message: expect.stringContaining('runs:operate') as string })
  expect(await w.runs.fork(writer, { ...fork, isLive: false })).toMatchObject({ withholdsWrites: true })
  await expect(w.runs.fork(caller, { ...fork, changes: { version: 'v9' } })).rejects.toMatchObject({ code: 'not_found' })
  const imported = await w.runs.import(caller, { agent: 'one', version: 'v1', exportedAs: original.id, journal: await w.exported(original) })
  await expect(w.runs.fork(caller, { ...fork, runId: imported.id })).rejects.toMatchObject({ code: 'forbidden' })
  const tried = await w.e.ended((await w.runs.fork(caller, { ...fork, runId: imported.id, isLive: false })).id)
  expect(tried).toMatchObject({ state: 'completed', fork: { runId: imported.id } })
  // A failed one is nobody's trouble, and is not started anew as a run that writes.
  const failed = await w.e.ended((await w.runs.fork(caller, { ...fork, changes: { input: 'fail' }, isLive: false })).id)
  expect(failed.state).toBe('failed')
  expect(await w.db.rows(sql`select from runs where id = ${failed.id} and is_dismissed`)).toHaveLength(1)
  const { findFailedRun } = await import('../outcomes/attention-store.ts')
  expect(await findFailedRun(w.db, everyone, failed.id)).toBeUndefined()
})

test('a fork’s model calls have what was changed, and only what surely reads may be called', () => {
  const { model, call } = makeExecutors({
    tools: { connect: async () => ({ output: null }), call: async () => ({ output: null }) },
  } as unknown as ExecutorPorts) // Nothing of the rest is used here.
  const request = { model: 'one', prefix: '0', append: [] }
  expect(model?.change?.(request, { model: 'two', instructions: '', outputTokensMax: 5 })).toEqual({
    ...request,
    model: 'two',
    instructions: '',
    outputTokensMax: 5,
  })
  expect(model?.change?.(request, { input: 1, version: 'v2' })).toEqual(request)
  expect(['calculator', 'fetch_page', 'web_search'].map((tool) => call?.mayWrite?.({ tool, input: {} }))).toEqual([false, false, false])
  expect([{ tool: 'http_request', input: { method: 'GET' } }, { tool: 'crm__find', input: {} }, 'nonsense'].map((input) => call?.mayWrite?.(input))).toEqual([
    true,
    true,
    true,
  ])
})

test('a command is a write where its agent’s sandbox may send anything but requests that read, and the run does not withhold that', async () => {
  const effectOf = async (rules: object[] | undefined, withholdsWrites = false) => {
    const manifestOf = async () => ({ sandbox: rules && { egress: { rules } } })
    const { exec } = makeExecutors({ tools: { manifestOf } } as unknown as ExecutorPorts) // Nothing of the rest is used here.
    return exec?.effectOf?.({ script: 'true' }, { withholdsWrites } as StepContext['run']) // As above.
  }
  const [reads, tunnel] = [{ host: 'a.test', methods: ['GET', 'HEAD'] }, { host: 'b.test' }]
  expect(await Promise.all([effectOf(undefined), effectOf([]), effectOf([reads])])).toEqual([undefined, undefined, undefined])
  expect(await Promise.all([effectOf([reads, tunnel]), effectOf([{ ...reads, methods: ['GET', 'POST'] }])])).toEqual(['write', 'write'])
  expect(await effectOf([tunnel], true)).toBeUndefined()
})
