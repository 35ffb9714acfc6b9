import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { type CanarySubjects, type CodeFile, RollbackGuard } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { fact, tenantId } from '../../test/support/engine.ts'
import { makeFolder } from '../../test/support/folders.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { type Db, sql } from '../db/index.ts'
import { newId, silentLog } from '../kernel/index.ts'
import { type Place, openAgents } from './agents.ts'
import { codeOf, pack, readCode, unpack } from './code.ts'
import { openDeployments } from './deployments.ts'

const file = (path: string, content: string): CodeFile => ({ path, base64: Buffer.from(content).toString('base64') })
const manifest = { description: 'd', shape: 'function' as const, model: null, instructions: null, tools: [], skills: [], examples: [] }

/** Versions and deployments over a real database, where a worker says of code whatever the code says of itself. */
async function openBed(agentsFiles: Record<string, string> = {}) {
  const t = await makeDatabase()
  const source = await makeFolder(agentsFiles)
  const data = await makeFolder()
  const agents = openAgents({ db: t.db, log: silentLog, dataDir: data.folder, agentsDir: source.folder })
  const warm = async (place: Place): Promise<void> => {
    const content = await readFile(join(place.folder, 'agent/agent.ts'), 'utf8')
    const own = content.startsWith('limited') ? { ...manifest, runLimits: { runningMax: Number(content.slice(8)) } } : manifest
    await agents.recordLoaded(place, content === 'broken' ? { manifest: null, problem: 'agent/agent.ts: broken' } : { manifest: own, problem: null })
  }
  const loading: Promise<void>[] = []
  const expected: string[] = []
  /** What was declared, at each look. */
  const limits: unknown[] = []
  const deployments = openDeployments({
    setAgentLimits: async (declared) => (limits.push(declared), []),
    db: t.db,
    log: silentLog,
    agents,
    workers: { warm: (place) => void loading.push(warm(place)), expect: ({ agent }) => void expected.push(agent), retire: async () => {} },
  })
  const upload = async (content: string) => (await deployments.createVersion(tenantId, 'one', [file('agent/agent.ts', content)])).version
  const deploy = (version: string, more: { share?: number; guard?: RollbackGuard; canarySubjects?: CanarySubjects } = {}) =>
    deployments.deploy(tenantId, 'ada', { agent: 'one', version, share: 100, ...more })
  return {
    db: t.db,
    source,
    data,
    agents,
    deployments,
    limits,
    expected,
    upload,
    deploy,
    live: async () => (await agents.find(tenantId, 'one'))?.version,
    async [Symbol.asyncDispose]() {
      await Promise.all(loading)
      await t[Symbol.asyncDispose]()
      await source[Symbol.asyncDispose]()
      await data[Symbol.asyncDispose]()
    },
  }
}

/** Runs that have ended like this, as the engine leaves them. */
async function addRuns(db: Db, version: string, count: number, state: 'completed' | 'failed' | 'waiting', { ms = 0, costUsd = 0 } = {}): Promise<void> {
  for (let i = 0; i < count; i++) {
    await db.rows(sql`
      insert into runs (id, tenant_id, agent, version, state, input, asker, wait, usage, started_at, ended_at)
      values (${newId()}, ${tenantId}, 'one', ${version}, ${state}, '1', '{}', ${state === 'waiting' ? '{"kind":"operator"}' : null},
        ${JSON.stringify({ costUsd })}, clock_timestamp() - ${ms} * interval '1 ms', case when ${state !== 'waiting'} then clock_timestamp() end)`)
  }
}

describe('code', () => {
  test('is named by what is in it: the same from a folder, a request and a bundle; tests, evals and packages do not count', async () => {
    await using folder = await makeFolder({ 'agent/agent.ts': 'export default 1', 'agent/tools/b.ts': 'b', 'evals/big.json': '{}', 'agent/agent.test.ts': 'x' })
    const read = await readCode(folder.folder)
    const sent = codeOf([file('agent/tools/b.ts', 'b'), file('agent/agent.ts', 'export default 1'), file('agent/agent.test.ts', 'x')])
    expect(sent.version).toBe(read.version)
    expect(await unpack(await pack(read))).toEqual(read)
    await folder.write('evals/big.json', '{"changed":1}')
    expect((await readCode(folder.folder)).version).toBe(read.version)
    await folder.write('agent/agent.ts', 'export default 2')
    expect((await readCode(folder.folder)).version).not.toBe(read.version)
  })

  test('that cannot be an agent’s is refused, with the file that is in the way', () => {
    const agent = file('agent/agent.ts', 'x')
    expect(() => codeOf([file('readme.md', 'x')])).toThrow(/no agent\/agent.ts/)
    expect(() => codeOf([agent, agent])).toThrow(/agent\/agent.ts comes twice/)
    expect(() => codeOf([agent, file('agent/agent.ts/x', 'x')])).toThrow(/lies below another file/)
    expect(codeOf([agent, file('agent/data/x', 'x')]).files).toHaveLength(2)
  })

  test('is unpacked again where its folder is gone, and found nowhere for another tenant', async () => {
    await using bed = await openBed()
    const version = await bed.upload('code')
    const at = bed.agents.place(tenantId, 'one', version)
    await rm(at.folder, { recursive: true })
    expect(await bed.agents.open(tenantId, 'one', version)).toEqual(at)
    expect(await readFile(join(at.folder, 'agent/agent.ts'), 'utf8')).toBe('code')
    expect(await bed.agents.open('another', 'one', version)).toBeUndefined()
  })
})

test('a worker is had ready for the next version where one is expected, also when the code is known or does not load', async () => {
  await using bed = await openBed()
  const upload = (content: string, expectsMore?: boolean) => bed.deployments.createVersion(tenantId, 'one', [file('agent/agent.ts', content)], expectsMore)
  await upload('first')
  expect(bed.expected).toEqual([])
  for (const content of ['second', 'first', 'broken']) await upload(content, true)
  expect(bed.expected).toEqual(['one', 'one', 'one'])
})

describe('two versions', () => {
  test('are compared file by file out of the database; one that is not there, or another tenant’s, is not found', async () => {
    await using bed = await openBed()
    const [before, after] = [await bed.upload('first'), await bed.upload('second')]
    expect(await bed.deployments.compare(tenantId, 'one', before, after)).toEqual({
      changes: [{ path: 'agent/agent.ts', change: 'changed', before: { bytes: 5, text: 'first' }, after: { bytes: 6, text: 'second' }, omitted: null }],
      sameCount: 0,
    })
    for (const [tenant, version] of [
      [tenantId, 'ffffffffffff'],
      [newId(), after],
    ] as const)
      await expect(bed.deployments.compare(tenant, 'one', before, version)).rejects.toMatchObject({ code: 'not_found' })
  })
})

describe('the agents’ folder', () => {
  test('is deployed at the start; one that cannot be does not keep the others from it; a folder that is missing is said with its remedy', async () => {
    await using bed = await openBed({ 'good/agent/agent.ts': 'x', 'Bad Name/agent/agent.ts': 'x', 'not-an-agent/readme.md': 'x' })
    expect((await bed.agents.deployAll(tenantId)).map(({ agent }) => agent)).toEqual(['good'])
    expect(await bed.agents.list(tenantId)).toMatchObject([{ name: 'good', status: 'starting', problem: null }])
    expect(await bed.agents.list('another')).toEqual([])
    const nowhere = openAgents({ db: bed.db, log: silentLog, dataDir: bed.data.folder, agentsDir: join(bed.source.folder, 'nowhere') })
    await expect(nowhere.deployAll(tenantId)).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('LONGHAUL_AGENTS_DIR') as string })
  })

  test('does not undo at the next start what somebody deployed since; a change of it does', async () => {
    await using bed = await openBed({ 'one/agent/agent.ts': 'from the folder' })
    const [place] = await bed.agents.deployAll(tenantId)
    const version = await bed.upload('uploaded')
    await bed.deploy(version)
    await bed.agents.deployAll(tenantId)
    expect(await bed.live()).toBe(version)
    await bed.source.write('one/agent/agent.ts', 'changed')
    await bed.agents.deployAll(tenantId)
    expect(await bed.live()).not.toBe(version)
    await bed.source.write('one/agent/agent.ts', 'from the folder')
    await bed.agents.deployAll(tenantId)
    expect(await bed.live()).toBe(place?.version)
  })

  test('deployed by several servers at once ends with one live version and one copy of the code', async () => {
    await using bed = await openBed({ 'one/agent/agent.ts': 'x' })
    await Promise.all(Array.from({ length: 6 }, () => bed.agents.deployAll(tenantId)))
    const list = await bed.deployments.list(tenantId, 'one', { limit: 50, cursor: undefined })
    expect(list.items.map(({ state }) => state)).toEqual(['live'])
    expect(await readdir(join(bed.data.folder, 'versions', tenantId, 'one'))).toHaveLength(1)
  })
})

describe('a version', () => {
  test('is loaded before the answer; one that does not load says why and is given to nobody', async () => {
    await using bed = await openBed()
    const good = await bed.deployments.createVersion(tenantId, 'one', [file('agent/agent.ts', 'good')])
    expect(good).toMatchObject({ status: 'ready', deployment: null, share: null, activeRunCount: 0 })
    const broken = await bed.deployments.createVersion(tenantId, 'one', [file('agent/agent.ts', 'broken')])
    expect(broken).toMatchObject({ status: 'broken', problem: 'agent/agent.ts: broken' })
    await expect(bed.deploy(broken.version)).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('does not load') as string })
    await expect(bed.deploy('0123456789ab')).rejects.toMatchObject({ code: 'not_found' })
    await bed.deploy(good.version)
    await addRuns(bed.db, good.version, 2, 'waiting')
    expect(await bed.deployments.listVersions(tenantId, 'one', 10)).toMatchObject([
      { version: broken.version, deployment: null },
      { version: good.version, deployment: 'live', share: 100, activeRunCount: 2 },
    ])
    expect(await bed.deployments.listVersions('another', 'one', 10)).toEqual([])
  })

  test('tells what it says about itself and how its runs fared', async () => {
    await using bed = await openBed()
    const version = await bed.upload('a')
    await bed.deploy(version)
    await addRuns(bed.db, version, 3, 'completed')
    await addRuns(bed.db, version, 1, 'failed')
    expect(await bed.deployments.version(tenantId, 'one', version)).toMatchObject({
      version,
      deployment: 'live',
      manifest,
      record: { version, runCount: 4, failedCount: 1 },
    })
    await expect(bed.deployments.version('another', 'one', version)).rejects.toMatchObject({ code: 'not_found' })
    await expect(bed.deployments.version(tenantId, 'one', '0123456789ab')).rejects.toMatchObject({ code: 'not_found' })
  })

  test('deployed twice is one deployment; of many deployed at once one is live in the end', async () => {
    await using bed = await openBed()
    const versions = await Promise.all(Array.from({ length: 5 }, (_, i) => bed.upload(`code ${i}`)))
    const [first] = versions
    expect((await bed.deploy(first!)).id).toBe((await bed.deploy(first!)).id)
    await Promise.all(versions.map((version) => bed.deploy(version)))
    const { items } = await bed.deployments.list(tenantId, 'one', { limit: 50, cursor: undefined })
    expect(items.filter(({ state }) => state === 'live')).toHaveLength(1)
  })

  test('is rolled back to what was live before, as often as there was something', async () => {
    await using bed = await openBed()
    const [a, b, c] = [await bed.upload('a'), await bed.upload('b'), await bed.upload('c')]
    for (const version of [a, b, c]) await bed.deploy(version)
    expect(await bed.deployments.rollBack(tenantId, 'bob', 'one', 'slow')).toMatchObject({ version: b, state: 'live', madeBy: 'bob', reason: 'slow' })
    expect(await bed.live()).toBe(b)
    expect((await bed.deployments.rollBack(tenantId, 'bob', 'one')).version).toBe(a)
    await expect(bed.deployments.rollBack(tenantId, 'bob', 'one')).rejects.toMatchObject({ code: 'conflict' })
    await expect(bed.deployments.rollBack('another', 'bob', 'one')).rejects.toMatchObject({ code: 'not_found' })
    const { items } = await bed.deployments.list(tenantId, 'one', { limit: 2, cursor: undefined })
    expect(items.map(({ version, state }) => [version, state])).toEqual([
      [a, 'live'],
      [b, 'rolled_back'],
    ])
  })
})

describe('a canary', () => {
  test('gets its share of subjects, the same ones each time; the rest stays with the live version', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await expect(bed.deploy(b, { share: 20 })).rejects.toMatchObject({ code: 'conflict' })
    await bed.deploy(a)
    await expect(bed.deploy(a, { share: 20 })).rejects.toMatchObject({ code: 'conflict' })
    await bed.deploy(b, { share: 20 })
    const choose = () => Promise.all(Array.from({ length: 400 }, (_, i) => bed.agents.canaryFor(tenantId, 'one', `session ${i}`)))
    const chosen = await choose()
    // 80 expected; six standard deviations are 48.
    expect(chosen.filter((version) => version === b).length).toBeGreaterThan(32)
    expect(chosen.filter((version) => version === b).length).toBeLessThan(128)
    expect(await choose()).toEqual(chosen)
    expect(await bed.live()).toBe(a)
    expect(await bed.deployments.listVersions(tenantId, 'one', 10)).toMatchObject([
      { deployment: 'canary', share: 20 },
      { deployment: 'live', share: 80 },
    ])
    expect(await bed.deployments.rollBack(tenantId, 'bob', 'one')).toMatchObject({ version: b, state: 'rolled_back' })
    expect(new Set(await choose())).toEqual(new Set([undefined]))
  })

  test('is always for whom it names and never for whom it excepts, sessions and askers alike, whatever the share', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    const named = { always: ['session 1', 'ada'], never: ['session 2', 'bob'] }
    const versionFor = async (askerId?: string, session?: string) => {
      const found = await bed.agents.findVersion(tenantId, 'one', askerId, session)
      return 'version' in found && found.version === b
    }
    expect(await bed.deploy(b, { share: 0, canarySubjects: named })).toMatchObject({ state: 'canary', share: 0, canarySubjects: named })
    expect([await versionFor('ada'), await versionFor('carl', 'session 1'), await versionFor('carl', 'session 3'), await versionFor()]).toEqual([
      ...[true, true],
      ...[false, false],
    ])
    await bed.deploy(b, { share: 99, canarySubjects: named })
    for (let n = 0; n < 20; n++) expect([await versionFor('bob'), await versionFor('carl', 'session 2')]).toEqual([false, false])
    expect(await versionFor('ada', 'session 2')).toBe(false) // `never` goes first.
    expect(await versionFor('bob', 'session 1')).toBe(false)
    // Others than the named are chosen as by the share alone.
    const others = await Promise.all(Array.from({ length: 100 }, (_, n) => versionFor('carl', `other ${n}`)))
    expect(others.filter(Boolean).length).toBeGreaterThan(85)
    // The same again changes nothing, other names do.
    const { id } = await bed.deploy(b, { share: 99, canarySubjects: named })
    expect((await bed.deploy(b, { share: 99, canarySubjects: named })).id).toBe(id)
    expect((await bed.deploy(b, { share: 99, canarySubjects: { ...named, never: [] } })).id).not.toBe(id)
    expect(await versionFor('bob', 'session 1')).toBe(true)
  })

  test('that names nobody where it must, or somebody where it cannot, is refused', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    const refused = (more: Parameters<typeof bed.deploy>[1]) => expect(bed.deploy(b, more)).rejects.toMatchObject({ code: 'invalid' })
    await refused({ share: 0 })
    await refused({ share: 0, canarySubjects: { always: [], never: ['bob'] } })
    await refused({ share: 100, canarySubjects: { always: ['ada'], never: [] } })
    await refused({ share: 50, canarySubjects: { always: ['ada'], never: ['ada'] } })
    expect(await bed.deploy(b, { share: 50, canarySubjects: { always: [], never: [] } })).toMatchObject({ canarySubjects: null })
  })

  test('that becomes live takes all', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    await bed.deploy(b, { share: 1 })
    expect(await bed.deploy(b)).toMatchObject({ state: 'live', replaced: a })
    expect(await bed.live()).toBe(b)
    expect(await bed.agents.canaryFor(tenantId, 'one', 'x')).toBeUndefined()
  })
})

describe('a guard', () => {
  const guard = RollbackGuard.parse({})

  test.each(['failed', 'waiting'] as const)('takes a deployment back whose runs end %s, once, with the evidence', async (state) => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    await addRuns(bed.db, a, 10, 'completed')
    const { id } = await bed.deploy(b, { guard })
    await addRuns(bed.db, b, 2, state)
    await bed.deployments.watch()
    expect(await bed.live()).toBe(b)
    await addRuns(bed.db, b, 1, state)
    await Promise.all([bed.deployments.watch(), bed.deployments.watch(), bed.deployments.watch()])
    expect(await bed.live()).toBe(a)
    const { items } = await bed.deployments.list(tenantId, 'one', { limit: 10, cursor: undefined })
    expect(items).toHaveLength(3)
    expect(items[0]).toMatchObject({ version: a, madeBy: 'rollback guard', guard: null })
    expect(items[1]).toMatchObject({
      id,
      state: 'rolled_back',
      evidence: { own: { version: b, runCount: 3, failedCount: 3 }, other: { version: a, runCount: 10, failedCount: 0 } },
    })
  })

  test('leaves alone what fares as well as before, and what fails of the old version', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    await bed.deploy(b, { guard })
    await addRuns(bed.db, b, 5, 'completed')
    await addRuns(bed.db, a, 5, 'failed')
    await bed.deployments.watch()
    expect(await bed.live()).toBe(b)
  })

  test.each<[string, object, { ms?: number; costUsd?: number }, { ms?: number; costUsd?: number }, RegExp]>([
    [
      'take too long',
      { durationRatioMax: 1.5 },
      { ms: 1_000 },
      { ms: 2_000 },
      /^the median duration is 2\d{3} ms, 1\d{3} ms before; at most 1\.5 times as much is allowed$/,
    ],
    [
      'cost too much',
      { costRatioMax: 2 },
      { costUsd: 0.01 },
      { costUsd: 0.03 },
      /^the mean cost is 0\.03 USD, 0\.01 USD before; at most 2 times as much is allowed$/,
    ],
  ])('takes a deployment back whose runs %s, from the twentieth on, and only where that was asked', async (_, limits, before, after, rule) => {
    await using bed = await openBed()
    const [a, b, c] = [await bed.upload('a'), await bed.upload('b'), await bed.upload('c')]
    await bed.deploy(a)
    await addRuns(bed.db, a, 20, 'completed', before)
    await bed.deploy(b, { guard })
    await addRuns(bed.db, b, 20, 'completed', after)
    await bed.deployments.watch()
    expect(await bed.live()).toBe(b) // The control: it was not asked.
    await bed.deployments.rollBack(tenantId, 'ada', 'one')
    await bed.deploy(c, { guard: RollbackGuard.parse(limits) })
    await addRuns(bed.db, c, 19, 'completed', after)
    await bed.deployments.watch()
    expect(await bed.live()).toBe(c)
    await addRuns(bed.db, c, 1, 'completed', after)
    await bed.deployments.watch()
    expect(await bed.live()).toBe(a)
    const { items } = await bed.deployments.list(tenantId, 'one', { limit: 2, cursor: undefined })
    expect(items[1]).toMatchObject({
      version: c,
      state: 'rolled_back',
      evidence: { rule: expect.stringMatching(rule), own: { version: c, runCount: 20 }, other: { version: a, runCount: 20 } },
    })
  })

  test('watches as long as its window is open, and no longer', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    await bed.deploy(b, { guard })
    const age = (by: string) => bed.db.rows(sql`update deployments set created_at = created_at - ${by}::interval where state = 'live'`)
    await addRuns(bed.db, b, 5, 'failed')
    await age('61 minutes')
    await bed.deployments.watch()
    expect(await bed.live()).toBe(b)
    await age('-2 minutes')
    await bed.deployments.watch()
    expect(await bed.live()).toBe(a)
  })

  test('takes a canary back and leaves the live version as it is', async () => {
    await using bed = await openBed()
    const [a, b] = [await bed.upload('a'), await bed.upload('b')]
    await bed.deploy(a)
    await bed.deploy(b, { share: 10, guard })
    await addRuns(bed.db, b, 3, 'failed')
    await bed.deployments.watch()
    expect(await bed.agents.canaryFor(tenantId, 'one', 'x')).toBeUndefined()
    const { items } = await bed.deployments.list(tenantId, 'one', { limit: 10, cursor: undefined })
    expect(items.map(({ version, state }) => [version, state])).toEqual([
      [b, 'rolled_back'],
      [a, 'live'],
    ])
  })
})

test('what the live version declares of its runs is put in force when it is deployed, and taken back with it', async () => {
  await using bed = await openBed()
  const first = await bed.upload('limited 3')
  await bed.upload('limited 4') // Not live, so it limits nothing.
  await bed.deploy(first)
  await bed.deployments.start()
  const last = async (expected: unknown) =>
    fact(
      () => JSON.stringify(bed.limits.at(-1)),
      (found) => found === JSON.stringify(expected),
      'limits',
    )
  await last([{ tenantId, agent: 'one', version: first, limits: { runningMax: 3 } }])
  const plain = await bed.upload('plain')
  await bed.deploy(plain)
  await last([])
  await bed.deployments.rollBack(tenantId, 'ada', 'one')
  await last([{ tenantId, agent: 'one', version: first, limits: { runningMax: 3 } }])
  await bed.deployments.stop()
})

describe('a preview', () => {
  const preview = { agent: 'one', name: 'new-words', source: { branch: 'new/words', commit: 'abcdef012' }, keepForMs: 60_000 }

  test('is a version that runs are started on by name; it moves, and nobody else gets it', async () => {
    await using bed = await openBed()
    const [live, next, last] = [await bed.upload('live'), await bed.upload('next'), await bed.upload('last')]
    await bed.deploy(live)
    expect(await bed.deployments.setPreview(tenantId, 'ada', { ...preview, version: next })).toMatchObject({ name: 'new-words', version: next, madeBy: 'ada' })
    expect(await bed.agents.findPicked(tenantId, 'one', { preview: 'new-words' }, false)).toMatchObject({ version: next })
    expect(await bed.agents.findPicked(tenantId, 'one', { version: next }, false)).toMatchObject({ version: next })
    expect(await bed.live()).toBe(live)
    await bed.deployments.setPreview(tenantId, 'ada', { ...preview, version: last })
    expect(await bed.agents.findPicked(tenantId, 'one', { preview: 'new-words' }, false)).toMatchObject({ version: last })
    const all = { limit: 50, cursor: undefined }
    expect((await bed.deployments.listPreviews(tenantId, 'one', all)).items).toMatchObject([{ name: 'new-words', source: preview.source, version: last }])
    expect((await bed.deployments.listPreviews('another', 'one', all)).items).toEqual([])
    await expect(bed.agents.findPicked('another', 'one', { preview: 'new-words' }, true)).rejects.toMatchObject({ code: 'not_found' })
    await bed.deployments.deletePreview(tenantId, 'one', 'new-words')
    await expect(bed.agents.findPicked(tenantId, 'one', { preview: 'new-words' }, true)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('of code that does not load is refused; a version that is nowhere deployed is for those who may deploy', async () => {
    await using bed = await openBed()
    const [live, other] = [await bed.upload('live'), await bed.upload('other')]
    await bed.deploy(live)
    await expect(bed.deployments.setPreview(tenantId, 'ada', { ...preview, version: await bed.upload('broken') })).rejects.toMatchObject({ code: 'conflict' })
    await expect(bed.agents.findPicked(tenantId, 'one', { version: other }, false)).rejects.toMatchObject({ code: 'forbidden' })
    expect(await bed.agents.findPicked(tenantId, 'one', { version: other }, true)).toMatchObject({ version: other })
    expect(await bed.agents.findPicked(tenantId, 'one', { version: live }, false)).toMatchObject({ version: live })
  })

  test('is forgotten when its time is over; pages go by name', async () => {
    await using bed = await openBed()
    const version = await bed.upload('code')
    for (const name of ['c', 'a', 'b']) await bed.deployments.setPreview(tenantId, 'ada', { ...preview, name, version })
    const first = await bed.deployments.listPreviews(tenantId, 'one', { limit: 2, cursor: undefined })
    expect([first.items.map(({ name }) => name), first.next]).toEqual([['a', 'b'], 'b'])
    const rest = await bed.deployments.listPreviews(tenantId, 'one', { limit: 2, cursor: first.next ?? undefined })
    expect([rest.items.map(({ name }) => name), rest.next]).toEqual([['c'], null])
    await bed.db.rows(sql`update previews set expires_at = clock_timestamp() - interval '1 s' where name = 'a'`)
    await expect(bed.agents.findPicked(tenantId, 'one', { preview: 'a' }, true)).rejects.toMatchObject({ code: 'not_found' })
    expect((await bed.deployments.listPreviews(tenantId, 'one', { limit: 50, cursor: undefined })).items).toHaveLength(2)
  })
})

test('a plan counts what stays on other versions, and the sessions that move', async () => {
  await using bed = await openBed()
  const [live, next] = [await bed.upload('live'), await bed.upload('next')]
  await bed.deploy(live)
  await addRuns(bed.db, live, 2, 'waiting')
  await addRuns(bed.db, live, 1, 'completed')
  await bed.db.rows(sql`update runs set session_id = 'talk' where state = 'completed'`)
  const plan = await bed.deployments.plan(tenantId, 'one', next)
  expect(plan).toMatchObject({ pinned: [{ version: live, runningCount: 0, waitingCount: 2 }], sessionCount: 1 })
  expect(plan.runIds).toHaveLength(2)
  expect(await bed.deployments.plan(tenantId, 'one', live)).toMatchObject({ pinned: [], sessionCount: 0, runIds: [] })
  await expect(bed.deployments.plan('another', 'one', next)).rejects.toMatchObject({ code: 'not_found' })
})

test('a deployment whose evaluation is worse than the one before is taken back, with both scores as evidence', async () => {
  await using bed = await openBed()
  const [good, worse] = [await bed.upload('good'), await bed.upload('worse')]
  const score = (version: string, passedCount: number) =>
    bed.deployments.recordEvaluation(tenantId, 'ada', {
      agent: 'one',
      version,
      suite: 'answers',
      passedCount,
      caseCount: 20,
      failedCases: ['revenue'],
      judgments: [{ case: 'revenue', model: 'scripted/judge', isPassed: false, reasons: ['It names no sum.'] }],
      model: null,
      costUsd: 0.5,
      durationMs: 1_000,
    })
  await bed.deploy(good)
  await score(good, 19)
  await bed.deploy(worse, { guard: RollbackGuard.parse({ scoreDropMax: 0.05 }) })
  await score(worse, 19)
  await bed.deployments.watch()
  expect(await bed.live()).toBe(worse)
  await score(worse, 15)
  await bed.deployments.watch()
  expect(await bed.live()).toBe(good)
  const { items } = await bed.deployments.list(tenantId, 'one', { limit: 2, cursor: undefined })
  expect(items[1]).toMatchObject({
    version: worse,
    state: 'rolled_back',
    evidence: { own: { scores: { answers: { passedCount: 15, caseCount: 20 } } }, other: { scores: { answers: { passedCount: 19 } } } },
  })
  const all = await bed.deployments.listEvaluations(tenantId, 'one', { limit: 2, cursor: undefined })
  expect(all.items.map(({ version, passedCount }) => [version, passedCount])).toEqual([
    [worse, 15],
    [worse, 19],
  ])
  const of = await bed.deployments.listEvaluations(tenantId, 'one', { limit: 50, cursor: undefined, version: good })
  expect(of.items).toMatchObject([
    { suite: 'answers', failedCases: ['revenue'], judgments: [{ case: 'revenue', reasons: ['It names no sum.'] }], costUsd: 0.5 },
  ])
  await expect(score('0123456789ab', 1)).rejects.toMatchObject({ code: 'not_found' })
})
