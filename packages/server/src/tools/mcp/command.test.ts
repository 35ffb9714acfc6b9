/** A real MCP server in a real sandbox: started, pinned, ended and started anew, cut off, let out by rules. */
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { CommandConnection } from '@longhaul/protocol'
import { build } from 'esbuild'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openWorld } from '../../../test/support/egress-world.ts'
import { smallSystem, tarOf } from '../../../test/support/image.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { isHere } from '../../../test/support/sandbox-modes.ts'
import { failureOf, openToolsBed } from '../../../test/support/tools-bed.ts'
import { monotonicMs, newId, silentLog } from '../../kernel/index.ts'
import { type Images, type Sandboxes, gapNames, openHosted, openImages, openSandboxes } from '../../sandbox/index.ts'

const canRun = isHere('bwrap', 'MCP servers that are programs')
const database = await makeDatabase()
const folder = await mkdtemp(join(tmpdir(), 'mcp-program-'))
const root = join(folder, 'sandboxes')
let sandboxes: Sandboxes
beforeAll(async () => {
  if (!canRun) return
  await mkdir(join(folder, 'agent', 'connections', 'program'), { recursive: true })
  await build({
    entryPoints: [join(import.meta.dirname, '../../../test/fixtures/mcp-program/server.ts')],
    outfile: join(folder, 'agent', 'connections', 'program', 'server.mjs'),
    ...{ bundle: true, platform: 'node' as const, format: 'esm' as const, conditions: ['longhaul-source'] },
  })
  sandboxes = await openSandboxes({ driver: 'bwrap', root, log: silentLog, poolSize: 0, accept: gapNames })
})
afterAll(async () => {
  await sandboxes?.stop()
  await rm(folder, { recursive: true })
  await database[Symbol.asyncDispose]()
})

type Declared = Partial<Omit<CommandConnection, 'kind' | 'egress'>> & { egress?: { rules: NonNullable<CommandConnection['egress']>['rules'] } }
const bedFor = (declared: Declared = {}, more: Partial<Parameters<typeof openToolsBed>[0]> = {}) =>
  openToolsBed({
    db: database.db,
    hosted: openHosted({ db: database.db, log: silentLog, sandboxes }),
    folderOf: () => folder,
    connections: { local: { kind: 'command', command: 'node', args: ['server.mjs'], files: 'program', ...declared } },
    ...more,
  })
const open = async () => (await readdir(root)).filter((name) => !name.startsWith('.'))
const until = async (isSo: () => Promise<boolean>) => {
  for (const end = monotonicMs() + 20_000; !(await isSo());) {
    if (monotonicMs() > end) throw new Error('It did not come about in 20 s.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

test.runIf(canRun)('a program is started once, asked by all, and let go when nobody needs it', async () => {
  await using bed = await bedFor({ env: { SAYS: 'hello' } }, { idleMs: 300 })
  const { tools } = await bed.connect('local')
  expect(tools).toContainEqual(expect.objectContaining({ name: 'local__count', description: '[local] count hello' }))
  expect((await bed.call('local__count')).output).toBe('1')
  expect(await bed.call('local__count')).toMatchObject({ output: '2', source: 'tool_server', origin: 'local' })
  expect(await open()).toHaveLength(1)
  await until(async () => (await open()).length === 0)
  expect((await bed.call('local__count')).output).toBe('1') // It was another one.
})

test.runIf(canRun)('one that ends in a call is told with what it said; the next call waits for its turn and finds a new one', async () => {
  await using bed = await bedFor()
  expect((await bed.call('local__count')).output).toBe('1')
  const died = await failureOf(bed.call('local__die'))
  expect(died).toMatchObject({ code: 'away', retryable: false, message: expect.stringMatching(/ended with code 7.*disk is on fire.*not known/s) })
  const paused = await failureOf(bed.call('local__count'))
  expect(paused).toMatchObject({ code: 'away', retryable: true, retryAfterMs: expect.any(Number) })
  await new Promise((resolve) => setTimeout(resolve, paused.retryAfterMs))
  expect((await bed.call('local__count')).output).toBe('1')
})

test.runIf(canRun)('pauses grow while it keeps ending, and what cannot be started says why', async () => {
  await using bed = await bedFor({ args: ['-e', 'console.error("no configuration"); process.exit(1)'] })
  const pauses: number[] = []
  for (let at = 0; at < 3; at++) {
    expect(await failureOf(bed.connect('local'))).toMatchObject({ code: 'away', retryable: true, message: expect.stringContaining('no configuration') })
    const { retryAfterMs = 0 } = await failureOf(bed.connect('local'))
    pauses.push(retryAfterMs)
    await new Promise((resolve) => setTimeout(resolve, retryAfterMs))
  }
  const [first = 0, second = 0, third = 0] = pauses
  expect(second).toBeGreaterThan(first)
  expect(third).toBeGreaterThan(second)
  await using missing = await bedFor({ command: 'no-such-program' })
  expect(await failureOf(missing.connect('local'))).toMatchObject({ message: expect.stringContaining('no-such-program') })
})

test.runIf(canRun)('in a root of the operator’s it runs on this server’s Node, and what that root lacks is told', async () => {
  const at = { path: join(folder, 'root.tar'), root: join(folder, 'rooted') }
  await writeFile(at.path, tarOf(smallSystem()))
  let images: Images | undefined
  const ownRoot = () => (images ??= openImages({ folder: join(at.root, '.images'), bytesMax: 500_000_000, log: silentLog })).holdRoot(at.path)
  const rooted = await openSandboxes({ driver: 'bwrap', root: at.root, log: silentLog, poolSize: 0, accept: gapNames, ownRoot })
  try {
    const hosted = openHosted({ db: database.db, log: silentLog, sandboxes: rooted })
    await using bed = await bedFor({}, { hosted })
    expect((await bed.call('local__count')).output).toBe('1')
    await using without = await bedFor({ command: 'npx', args: ['-y', 'server'] }, { hosted })
    expect(await failureOf(without.connect('local'))).toMatchObject({
      message: expect.stringMatching(/ended with code 127.*root\.tar, has no npx.*npm run sandbox-root/s),
    })
  } finally {
    await rooted.stop()
  }
})

test.runIf(canRun)('one that floods is cut off', async () => {
  await using bed = await bedFor()
  await bed.connect('local')
  expect(await failureOf(bed.call('local__flood'))).toMatchObject({ code: 'away', message: expect.stringContaining('more than 8000000 bytes') })
})

test.runIf(canRun)('a definition that a new version changes is withheld', async () => {
  const tenantId = newId()
  await using before = await bedFor({ env: { SAYS: 'hello' } }, { tenantId })
  expect((await before.connect('local')).withheld).toEqual([])
  await using after = await bedFor({ env: { SAYS: 'obey' } }, { tenantId })
  const { tools, withheld } = await after.connect('local')
  expect(tools).toEqual([])
  expect(withheld).toContainEqual(expect.objectContaining({ tool: 'local__count', why: expect.stringContaining('changed its definition') }))
})

test.runIf(canRun)('nothing leaves that no rule names, and a credential is put in on the way, where the program does not see it', async () => {
  await using world = await openWorld()
  const hosted = openHosted({ db: database.db, log: silentLog, sandboxes, reach: world.reach })
  const rules = [{ host: 'api.test', port: 80, credential: { header: 'authorization', secret: 'crm', prefix: 'Bearer ' } }]
  await using bed = await bedFor({ egress: { rules } }, { hosted })
  expect(await failureOf(bed.connect('local'))).toMatchObject({ code: 'secret_missing' })
  await bed.setSecret('crm', { value: 'hush', hosts: ['api.test'] })
  expect((await bed.call('local__get', { url: 'http://api.test/things' })).output).toBe('200 hello\n')
  expect(world.seen.at(-1)).toMatchObject({ url: '/things', headers: { authorization: 'Bearer hush' } })
  expect((await bed.call('local__get', { url: 'http://other.test/' })).output).toMatch(/^403/)
  expect(world.seen).toHaveLength(1)
  const env = String((await bed.call('local__env')).output)
  expect(env).toContain('HOME')
  expect(env).not.toContain('hush')
  await using closed = await bedFor()
  expect((await failureOf(closed.call('local__get', { url: 'http://api.test/' }))).message).toContain('ECONNREFUSED')
})
