/** Sandboxes from the command line, against the real server and real sandboxes. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { type TestDatabase, makeDatabase } from '../../server/test/support/postgres.ts'
import { usableModes } from '../../server/test/support/sandbox-modes.ts'
import { type ServerProcess, openServerProcess } from '../../server/test/support/server-process.ts'
import { command } from './support/run-command.ts'

const isReal = usableModes().length > 0
let database: TestDatabase
let server: ServerProcess
const folder = mkdtempSync(join(tmpdir(), 'longhaul-cli-'))
beforeAll(async () => {
  mkdirSync(join(folder, 'agents'))
  database = await makeDatabase()
  server = await openServerProcess({
    env: { LONGHAUL_DATABASE_URL: database.url, LONGHAUL_AGENTS_DIR: join(folder, 'agents'), LONGHAUL_SANDBOX_DRIVER: 'bwrap' },
  })
  await server.start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})
/** What the last command has printed so far. */
let seen = ''
const cli = async (args: string[], stdin?: string, interrupt?: AbortController) => {
  const { exit, out, err } = await command({ url: server.url() }, ['sandboxes', ...args], {
    env: { LONGHAUL_API_KEY: server.key() },
    folder,
    ...(stdin !== undefined && { stdin }),
    ...(interrupt && { interrupt, onOut: (out) => (seen = out) }),
  })
  return { exit, out, err }
}

test.skipIf(!isReal)('the command line makes, runs, copies, lists, snapshots, forks and stops', async () => {
  const made = await cli(['create', '--name', 'cli', '--env', 'WHO=me'])
  expect(made).toMatchObject({ exit: 0, out: expect.stringContaining('npx longhaul sandboxes exec cli -- ls -la') })
  expect(await cli(['exec', 'cli', '--', 'sh', '-c', 'echo $WHO; echo no >&2; exit 3'])).toEqual({ exit: 3, out: 'me\n', err: 'no\n' })
  expect(await cli(['exec', 'cli', '--stdin', 'tr a-z A-Z | rev'], 'abc')).toMatchObject({ exit: 0, out: 'CBA' })
  mkdirSync(join(folder, 'data/deep'), { recursive: true })
  writeFileSync(join(folder, 'data/deep/x.txt'), 'deep\n')
  writeFileSync(join(folder, 'one.txt'), 'one\n')
  expect(await cli(['cp', 'data', 'cli:data'])).toMatchObject({ exit: 0 })
  expect(await cli(['cp', 'one.txt', 'cli:'])).toMatchObject({ exit: 0 })
  expect(await cli(['cp', 'one.txt', 'cli:data/renamed.txt'])).toMatchObject({ exit: 0 })
  expect((await cli(['exec', 'cli', 'cat data/deep/x.txt one.txt data/renamed.txt'])).out).toBe('deep\none\none\n')
  expect((await cli(['ls', 'cli:data'])).out).toMatch(/deep\/[^]*renamed\.txt +4 B/)
  expect(await cli(['cp', 'cli:data', 'back'])).toMatchObject({ exit: 0 })
  expect(await cli(['cp', 'cli:one.txt', 'single.txt'])).toMatchObject({ exit: 0 })
  expect(readFileSync(join(folder, 'back/deep/x.txt'), 'utf8') + readFileSync(join(folder, 'single.txt'), 'utf8')).toBe('deep\none\n')
  expect(await cli(['snapshot', 'cli', '--name', 'base'])).toMatchObject({ exit: 0, out: expect.stringContaining('--snapshot base') })
  expect((await cli(['snapshots'])).out).toContain('base')
  expect(await cli(['fork', 'cli', '--name', 'cli-2'])).toMatchObject({ exit: 0 })
  expect((await cli(['exec', 'cli-2', 'cat one.txt'])).out).toBe('one\n')
  expect(await cli(['exec', '-i', 'cli', '--', 'head', '-c', '3'], 'x'.repeat(3_000_000))).toMatchObject({ exit: 0, out: 'xxx' })
  const watching = new AbortController()
  const watched = cli(['watch', 'cli', '--json'], undefined, watching)
  await vi.waitFor(async () => {
    await cli(['exec', 'cli', 'echo > watched'])
    expect(seen).toContain('"watched"')
  }, 20_000)
  watching.abort()
  await watched
  expect((await cli(['link', 'cli', '8000'])).out).toMatch(/^http:\/\/.+\/preview\/[\w-]+\.[\w-]+\/\n$/)
  const detached = await cli(['exec', 'cli', '--detach', '--json', 'echo later; sleep 600'])
  const { id } = JSON.parse(detached.out) as { id: string }
  expect((await cli(['ps', 'cli'])).out).toContain('running')
  await vi.waitFor(async () => expect((await cli(['logs', 'cli', id])).out).toBe('later\n'), 20_000)
  expect(await cli(['kill', 'cli', id.slice(-8)])).toMatchObject({ exit: 0, out: expect.stringContaining('killed') })
  expect((await cli(['logs', 'cli', id])).out).toBe('later\n')
  expect(await cli(['egress', 'cli', '--allow', 'GET:example.com/a*', '--credential', 'example.com=authorization:-'], 'Bearer hidden\n')).toMatchObject({
    exit: 0,
    out: expect.stringContaining('example.com · GET · /a* · with authorization'),
  })
  expect((await cli(['get', 'cli', '--json'])).out).not.toContain('hidden')
  expect(await cli(['connections', 'cli'])).toMatchObject({ exit: 0, out: expect.stringContaining('Nothing has tried') })
  expect(await cli(['stop', 'cli'])).toMatchObject({ exit: 0 })
  expect(await cli(['exec', 'cli', 'true'])).toMatchObject({ exit: 5, err: expect.stringContaining('No sandbox cli') })
  expect((await cli(['list', '--json'])).out).toContain('cli-2')
  expect(await cli(['cp', 'a', 'b'])).toMatchObject({ exit: 2 })
})

test.skipIf(!isReal)('a driver that the server does not offer is told as that, and nobody is sent for another key', async () => {
  const refused = await cli(['create', '--driver', 'docker'])
  expect(refused.exit).toBe(14)
  const told = refused.err.replaceAll(/\s+/g, ' ') // As wide as the terminal is.
  expect(told).toMatch(/does not offer it\. Name it in LONGHAUL_SANDBOX_DRIVERS, or choose among bwrap.*Another key does not help/)
  expect(told).not.toContain('keys create')
})

test.skipIf(!isReal)('the command line prepares templates, shows what they write, and begins sandboxes with them', async () => {
  const templates = async (args: string[]) => command({ url: server.url() }, ['templates', ...args], { env: { LONGHAUL_API_KEY: server.key() }, folder })
  writeFileSync(join(folder, 'given.txt'), 'given\n')
  const made = await templates(['create', 'tools', '--file', 'given.txt=in/given.txt', '--run', 'echo preparing; cat in/given.txt', '--env', 'KIND=tools'])
  expect(made).toMatchObject({ exit: 0, err: expect.stringContaining('preparing\ngiven\n'), out: expect.stringContaining('sandboxes create --template tools') })
  expect(await templates(['create', 'tools', '--run', 'echo no; exit 3'])).toMatchObject({
    exit: 1,
    out: expect.stringMatching(/tools@2[^]*failed[^]*exit code 3/),
  })
  expect((await templates(['list'])).out).toMatch(/tools@2 +failed[^]*tools@1 +ready/)
  expect(await templates(['get', 'tools@1'])).toMatchObject({ exit: 0, err: expect.stringContaining('given\n') })
  expect(await cli(['create', '--name', 'from-tools', '--template', 'tools'])).toMatchObject({ exit: 0 })
  expect((await cli(['exec', 'from-tools', 'cat in/given.txt; echo $KIND'])).out).toBe('given\ntools\n')
  expect(await templates(['create', 'more', '--detach', '--from', 'tools', '--run', 'true'])).toMatchObject({
    exit: 0,
    out: expect.stringContaining('templates get more@1'),
  })
  expect(await templates(['delete', 'tools'])).toMatchObject({ exit: 2, err: expect.stringContaining('one version') })
  expect(await templates(['delete', 'tools@1'])).toMatchObject({ exit: 0 })
  expect(await templates(['get', 'tools@1'])).toMatchObject({ exit: 5 })
  expect(await templates(['create', 'none', '--file', 'not-there'])).toMatchObject({ exit: 2, err: expect.stringContaining('not-there') })
})
