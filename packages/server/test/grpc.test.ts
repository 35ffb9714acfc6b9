/** gRPC of the real program, by a client that learns everything by reflection; and over it, too, another tenant's things are not there. */
import { join } from 'node:path'
import type { Run } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { addressCheck } from '../src/api/index.ts'
import { listenGrpc } from '../src/api/grpc/index.ts'
import { silentLog } from '../src/kernel/index.ts'
import { openBed } from './support/api-bed.ts'
import { type Failed, grpcClient } from './support/grpc-client.ts'
import { makeDatabase } from './support/postgres.ts'
import { openServerProcess, until } from './support/server-process.ts'

test('a run is started, followed to its end and read, and the server stops with a stream open', async () => {
  await using database = await makeDatabase()
  await using server = await openServerProcess({
    env: { LONGHAUL_DATABASE_URL: database.url, LONGHAUL_AGENTS_DIR: join(import.meta.dirname, 'fixtures/start-agents'), LONGHAUL_GRPC_PORT: '0' },
  })
  await server.start()
  const [, url = ''] = /gRPC +(\S+)/.exec(server.life().output()) ?? []
  const client = await grpcClient(url)
  const key = server.key()
  const { output } = await client.call('longhaul.v1.RunsService/Start', { agent: 'good', input: { waits: true } }, { key })
  const runId = String(output['id'])
  const told: Record<string, unknown>[] = []
  const stream = client.stream('longhaul.v1.RunsService/EventsStream', { input: { runId } }, { key })
  stream.on('data', (frame: Record<string, unknown>) => told.push(frame))
  const ended = new Promise((resolve, reject) => stream.on('end', resolve).on('error', reject))
  await until('it to wait', 20_000, () => (told.some(({ event }) => event === 'wait.created') ? true : undefined))
  await client.call('longhaul.v1.RunsService/Signal', { runId, name: 'go' }, { key })
  await ended
  expect(told.map(({ event }) => event).slice(-2)).toEqual(['run.completed', 'end'])
  expect((await client.call('longhaul.v1.RunsService/Get', { runId }, { key })).output).toMatchObject({
    state: 'completed',
    output: { input: { waits: true } },
  })
  expect((await server.client.runs.events({ runId })).items.map(({ seq }) => String(seq))).toEqual(told.flatMap(({ cursor }) => cursor ?? []))
  const open = client.stream('longhaul.v1.RunsService/ListStream', { input: {} }, { key })
  const cut = new Promise<number>((resolve) => open.on('error', (error) => resolve((error as unknown as { code: number }).code)))
  await new Promise((resolve) => open.once('data', resolve))
  const from = performance.now()
  expect(await server.stop()).toBe(0)
  expect(performance.now() - from).toBeLessThan(30_000)
  expect(await cut).toBe(14)
  client.close()
}, 180_000)

test('another tenant finds nothing by ids of this one; this one does', async () => {
  await using bed = await openBed({
    asks: ({ run }) => [
      { type: 'op.wait', run, op: '0', kind: 'approval', name: 'canary title', timeoutMs: null },
      { type: 'run.idle', run, ops: ['0'] },
    ],
  })
  const grpc = await listenGrpc({
    ...{ pipeline: bed.pipeline, checkAddress: addressCheck('127.0.0.1'), host: '127.0.0.1', port: 0, bodyBytesMax: 100_000, connectionsMax: 10 },
    ...{ health: async () => {}, stopping: bed.stopping.signal, log: silentLog },
  })
  const client = await grpcClient(grpc.url)
  const access = { personalData: true }
  const acme = await bed.caller('acme', access)
  const globex = await bed.caller('globex', access, { tenantId: 'globex' })
  const run: Run = await acme.start('asks')
  const runId = run.id
  const about: [string, object][] = [
    ['RunsService/Get', { runId }],
    ['RunsService/Events', { runId }],
    ['RunsService/Export', { runId }],
    ['RunsService/Step', { runId, op: '0' }],
    ['RunsService/Signal', { runId, name: 'news' }],
    ['ApprovalsService/Decide', { approvalId: run.wait?.approvalId, approved: true }],
    ['RunsService/Cancel', { runId }],
  ]
  for (const [method, input] of about) {
    const path = `longhaul.v1.${method}`
    const foreign = await client.call(path, input, { key: globex.secret }).catch((error: unknown) => error as Failed)
    expect(foreign, method).toMatchObject({ code: 5, detail: { code: 'not_found' } })
    const own = await client.call(path, input, { key: acme.secret }).then(
      () => 0,
      (error: Failed) => error.code,
    )
    expect(own, method).toBe(method === 'RunsService/Step' ? 5 : 0) // It has a wait and no step.
  }
  for (const list of ['RunsService/List', 'ApprovalsService/List', 'AttentionService/List']) {
    const items = async (key: string) => (await client.call(`longhaul.v1.${list}`, {}, { key })).output['items'] as unknown[]
    expect(await items(globex.secret), list).toEqual([])
    if (list !== 'AttentionService/List') expect((await items(acme.secret)).length, list).toBe(1)
  }
  client.close()
  bed.stopping.abort()
  await grpc.stop()
}, 120_000)
