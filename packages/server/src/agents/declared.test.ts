/** What a version's folder declares holds while that version is live, over real deployments and a real engine. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { AgentManifest, Asker, Channel, DeclaredSchedule, Permission } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { asker, everyone, fact, startEngine, tenantId } from '../../test/support/engine.ts'
import { makeFolder } from '../../test/support/folders.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { silentLog } from '../kernel/index.ts'
import { type Place, openAgents } from './agents.ts'
import { openDeployments } from './deployments.ts'

const manifest: AgentManifest = { description: 'd', shape: 'function', model: null, instructions: null, tools: [], skills: [], examples: [] }
const hourly: DeclaredSchedule = {
  input: 'x',
  calendar: { kind: 'cron', cron: '0 * * * *', timeZone: 'UTC' },
  overlap: 'skip',
  catchUp: 'one',
  jitterMs: 0,
  priority: 'normal',
}
const slack: Channel = { type: 'slack', signingSecret: 'signing', token: 'bot', apiUrl: 'https://slack.com/api' }
const ada: Asker = { id: 'ada', name: 'ada', access: { personalData: true } }
const all: readonly Permission[] = ['schedules:manage', 'hooks:manage']

/** Versions whose code is their manifest. */
async function openBed() {
  const t = await makeDatabase({ poolMax: 6 })
  const data = await makeFolder()
  const agents = openAgents({ db: t.db, log: silentLog, dataDir: data.folder, agentsDir: '/nowhere' })
  const warm = async (place: Place) => {
    const declared = JSON.parse(await readFile(join(place.folder, 'agent/agent.ts'), 'utf8')) as Partial<AgentManifest>
    await agents.recordLoaded(place, { manifest: { ...manifest, ...declared }, problem: null })
  }
  const deployments = openDeployments({
    ...{ db: t.db, log: silentLog, agents, watchEveryMs: 20 },
    setAgentLimits: async () => [],
    workers: { warm: (place) => void warm(place), expect: () => {}, retire: async () => {} },
  })
  const e = await startEngine(t.db, { code: async () => 1 })
  await deployments.start()
  const upload = async (declared: Partial<AgentManifest>) =>
    deployments.createVersion(tenantId, 'code', [{ path: 'agent/agent.ts', base64: Buffer.from(JSON.stringify(declared)).toString('base64') }])
  return {
    db: t.db,
    e,
    upload,
    deploy: async (declared: Partial<AgentManifest>, by: { asker: Asker; permissions: readonly Permission[] } = { asker: ada, permissions: all }) => {
      const { version } = await upload(declared)
      await deployments.deploy(tenantId, 'ada', { agent: 'code', version, share: 100 }, by)
      return version
    },
    rollBack: () => deployments.rollBack(tenantId, 'bob', 'code'),
    schedules: () => e.engine.schedules.list(everyone, { limit: 10 }),
    hooks: () => t.db.rows<{ name: string; version: string; secret: string }>(sql`select name, from_version as version, secret from hooks order by name`),
    /** Every live version has been looked at. */
    applied: () =>
      fact(
        () => t.db.rows(sql`select from deployments where state = 'live' and declared_at is null`),
        (rows) => rows.length === 0,
      ),
    async [Symbol.asyncDispose]() {
      await deployments.stop()
      await e.stop()
      await t[Symbol.asyncDispose]()
      await data[Symbol.asyncDispose]()
    },
  }
}

test('schedules and channels come with a version, change with the next one, and come back with a rollback', async () => {
  await using bed = await openBed()
  const one = await bed.deploy({ schedules: [{ name: 'hourly', schedule: hourly }], channels: [{ name: 'chat', channel: slack }] })
  await bed.applied()
  const [first] = await bed.schedules()
  expect(first).toMatchObject({ name: 'code.hourly', agent: 'code', fromVersion: one, asker: ada, setBy: 'ada', overlap: 'skip' })
  expect(first?.nextFires).toHaveLength(5)
  expect(await bed.hooks()).toEqual([{ name: 'code.chat', version: one, secret: 'signing' }])
  // The same declaration in the next version goes on as it was: its next fire and its list of fires stay.
  const two = await bed.deploy({
    description: 'two',
    schedules: [
      { name: 'hourly', schedule: hourly },
      { name: 'daily', schedule: { ...hourly, calendar: { kind: 'cron', cron: '0 3 * * *', timeZone: 'Europe/Berlin' } } },
    ],
  })
  await bed.applied()
  expect((await bed.schedules()).map(({ id, name, fromVersion }) => [name, fromVersion, id === first?.id])).toEqual([
    ['code.daily', two, false],
    ['code.hourly', two, true],
  ])
  expect(await bed.hooks()).toEqual([])
  await bed.deploy({ description: 'three' })
  await bed.applied()
  expect(await bed.schedules()).toEqual([])
  // Whoever rolls back gives nobody an access of their own: it is that of whoever deployed the version.
  await bed.rollBack()
  await bed.rollBack()
  await bed.applied()
  expect((await bed.schedules()).map(({ name, fromVersion, asker: of }) => [name, fromVersion, of.name])).toEqual([['code.hourly', one, 'ada']])
  expect(await bed.hooks()).toEqual([{ name: 'code.chat', version: one, secret: 'signing' }])
})

test('a declared schedule fires with the deployer’s access, can be paused and resumed, and neither deleted nor replaced', async () => {
  await using bed = await openBed()
  const version = await bed.deploy({ schedules: [{ name: 'hourly', schedule: hourly }] })
  await bed.applied()
  const { schedules } = bed.e.engine
  await bed.db.rows(sql`update schedules set next_at = clock_timestamp() - interval '1 second'`)
  const [fire] = await fact(
    () => schedules.fires(everyone, 'code.hourly', { limit: 1 }),
    (fires) => fires.length === 1,
  )
  expect(await bed.e.ended(fire?.runId ?? '')).toMatchObject({ state: 'completed', input: 'x', asker: ada })
  await expect(schedules.delete(everyone, 'code.hourly')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining(`the folder of code, version ${version}`) as string,
  })
  expect(await schedules.pause(everyone, 'code.hourly')).toMatchObject({ isPaused: true, nextFires: [] })
  // What is paused stays so when the declaration goes and comes back, and when it changes.
  await bed.deploy({})
  await bed.applied()
  await expect(schedules.resume(everyone, 'code.hourly')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('not by the live one') as string,
  })
  await bed.rollBack()
  await bed.applied()
  expect(await bed.schedules()).toMatchObject([{ name: 'code.hourly', isPaused: true }])
  await bed.deploy({ schedules: [{ name: 'hourly', schedule: { ...hourly, input: 'y' } }] })
  await bed.applied()
  expect(await bed.schedules()).toMatchObject([{ name: 'code.hourly', isPaused: true, input: 'y' }])
  expect(await schedules.resume(everyone, 'code.hourly')).toMatchObject({ isPaused: false })
  // One that somebody has set is theirs, whatever the agent is.
  await schedules.set(everyone, asker, { name: 'mine', agent: 'code', ...hourly })
  await bed.deploy({ description: 'none' })
  await bed.applied()
  expect((await bed.schedules()).map(({ name, fromVersion }) => [name, fromVersion])).toEqual([['mine', null]])
  expect(await schedules.delete(everyone, 'mine')).toMatchObject({ name: 'mine' })
})

test('a version that declares takes the rights to what it declares, and a calendar that cannot be followed breaks it', async () => {
  await using bed = await openBed()
  const declared = { schedules: [{ name: 'hourly', schedule: hourly }], channels: [{ name: 'chat', channel: slack }] }
  await expect(bed.deploy(declared, { asker: ada, permissions: ['schedules:manage'] })).rejects.toMatchObject({
    code: 'forbidden',
    message: 'The version declares channels, which takes the permission hooks:manage.',
  })
  await expect(bed.deploy(declared, { asker: ada, permissions: [] })).rejects.toMatchObject({ code: 'forbidden' })
  expect(await bed.schedules()).toEqual([])
  const never = { ...hourly, calendar: { kind: 'cron' as const, cron: '0 0 31 2 *', timeZone: 'UTC' } }
  expect(await bed.upload({ schedules: [{ name: 'never', schedule: never }] })).toMatchObject({
    status: 'broken',
    problem: expect.stringContaining('agent/schedules/never: calendar: it never fires') as string,
  })
  const version = await bed.deploy(declared)
  await bed.applied()
  expect(await bed.schedules()).toMatchObject([{ fromVersion: version }])
})
