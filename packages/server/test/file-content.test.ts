/** What files hold goes to the sandbox or the blob folder and not into the journal. */
import type { Json, RunEvent } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { StepFailure } from '../src/kernel/index.ts'
import { type Opening, openBed, until } from './support/api-bed.ts'

const content = 'Every byte of it, \u00fcberall.\n'.repeat(50)
const base64 = Buffer.from(content).toString('base64')
const bytes = Buffer.byteLength(content)
const artifact: Json = { name: 'a.txt', mediaType: 'text/plain', title: 'A', base64 }

const opening =
  (kind: 'artifact' | 'files', input: Json): Opening =>
  ({ run }) => [{ type: 'op', run, op: '0', kind, name: 'it', input }]
const openings = {
  draws: opening('artifact', artifact),
  writes: opening('files', {
    action: 'write',
    files: [
      { path: 'a.txt', base64 },
      { path: 'b/c.txt', base64: '' },
    ],
  }),
  muddles: opening('artifact', { name: 'a.txt', base64: 5 }),
}

const started = (events: RunEvent[]) => events.flatMap((event) => (event.type === 'step.started' ? [event.data] : []))

test('the journal and the step tell name, type and size of a stored file; its content is where it belongs', async () => {
  await using t = await openBed(openings)
  const caller = await t.caller('admin', { personalData: true })
  const run = await caller.start('draws')
  const kept = { name: 'a.txt', mediaType: 'text/plain', title: 'A', bytes }
  expect(started(await caller.events(run.id))).toEqual([{ kind: 'artifact', name: 'it', attempt: 1, input: kept }])
  expect(await caller.read(`/v1/runs/${run.id}/steps/0`)).toMatchObject({ input: kept, output: { type: 'file', bytes } })
  const stored = await caller.ask('GET', `/v1/files/${(run.output as { fileId: string }).fileId}`)
  expect(await stored.text()).toBe(content)
})

test('of files written to the sandbox the journal tells paths and sizes', async () => {
  await using t = await openBed(openings)
  const caller = await t.caller('admin', { personalData: true })
  const run = await caller.start('writes')
  expect(run).toMatchObject({ failure: null, state: 'completed', output: { action: 'write', count: 2 } })
  expect(await caller.read(`/v1/runs/${run.id}/steps/0`)).toMatchObject({
    input: {
      action: 'write',
      files: [
        { path: 'a.txt', bytes },
        { path: 'b/c.txt', bytes: 0 },
      ],
    },
  })
  const [{ found } = { found: -1 }] = await t.db.rows<{ found: number }>(
    sql`select count(*)::int as found from events where run_id = ${run.id} and data::text like ${'%base64%'}`,
  )
  expect(found).toBe(0)
})

test('what makes no sense is recorded as it came and refused', async () => {
  await using t = await openBed(openings)
  const caller = await t.caller('admin', { personalData: true })
  const run = await caller.start('muddles')
  expect(run).toMatchObject({ state: 'failed', failure: { code: 'invalid' } })
  expect(started(await caller.events(run.id))[0]?.input).toEqual({ name: 'a.txt', base64: 5 })
})

test('a step that is executed again has its whole input: after a failure, and after its worker was lost', async () => {
  const given: string[] = []
  await using t = await openBed(openings, (files) => ({
    ...files,
    async store(tenantId, runId, request) {
      given.push(request.base64)
      if (given.length === 1) throw new StepFailure({ message: 'Not now.', retryable: true })
      if (given.length === 2) return new Promise(() => {}) // Until the worker is lost.
      return files.store(tenantId, runId, request)
    },
  }))
  const caller = await t.caller('admin', { personalData: true })
  const { id } = (await (await caller.ask('POST', '/v1/runs', { agent: 'draws', input: {} })).json()) as { id: string }
  await until(
    async () => given.length,
    (count) => count === 2,
  )
  t.loseWorkerOf(id)
  const run = await until(
    () => caller.read<{ state: string; output: Json }>(`/v1/runs/${id}`),
    ({ state }) => state !== 'running' && state !== 'pending',
  )
  expect(run).toMatchObject({ state: 'completed', output: { type: 'file', bytes } })
  expect(given).toEqual([base64, base64, base64])
  const events = await caller.events(id)
  expect(started(events).map(({ attempt, input }) => [attempt, input])).toEqual(
    [1, 2].map((attempt) => [attempt, { name: 'a.txt', mediaType: 'text/plain', title: 'A', bytes }]),
  )
  expect(events.map(({ type }) => type)).toContain('run.interrupted')
})
