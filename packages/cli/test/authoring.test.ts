/** From nothing to an agent that runs, and back: against the real server in a process of its own, with real workers that load the code. */
import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Deployment, type Version, isTerminal } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ServerProcess, openServerProcess } from '../../server/test/support/server-process.ts'
import { loadCases, loadTruth } from '../src/eval/cases.ts'
import { templates } from '../src/templates.ts'
import { command, ctrlC } from './support/run-command.ts'

let server: ServerProcess
let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'longhaul-authoring-'))
  server = await openServerProcess()
  await server.start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await rm(folder, { recursive: true, force: true })
})

const longhaul = (args: string[], options: Parameters<typeof command>[2] = {}) =>
  command(undefined, args, { folder, ...options, env: { LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key(), ...options.env } })
const write = async (path: string, content: string) => {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), content)
}
const deployed = async (...args: string[]) => {
  const { exit, err, json, out } = await longhaul(['deploy', ...args, '--json'])
  expect([exit, err, out]).toEqual([0, '', expect.any(String)])
  return json()[0] as unknown as { version: Version; deployment: Deployment | null }
}
const answering = (text: string) => `import { durable } from '@longhaul/sdk'\nexport default durable('Answers.', async () => ${JSON.stringify(text)})\n`
/** The output of a run of the agent, once it has ended. */
const ask = async (agent: string, session?: string): Promise<unknown> => {
  const { id } = await server.client.runs.start({ agent, input: {}, ...(session !== undefined && { session }) })
  await expect.poll(async () => isTerminal((await server.client.runs.get({ runId: id })).state), { timeout: 20_000 }).toBe(true)
  return (await server.client.runs.get({ runId: id })).output
}

test.each(Object.keys(templates))('the template %s is an agent that loads, under the name of its folder', async (template) => {
  expect(await longhaul(['init', `from-${template}`, '--template', template])).toMatchObject({ exit: 0, out: expect.stringContaining('agent/agent.ts') })
  expect(await readFile(join(folder, `from-${template}`, 'README.md'), 'utf8')).toContain(`# from-${template}`)
  const { version, deployment } = await deployed(`from-${template}`)
  expect(version).toMatchObject({ agent: `from-${template}`, status: 'ready' })
  expect(deployment).toMatchObject({ state: 'live', share: 100, madeBy: 'administrator' })
  const made = join(folder, `from-${template}`)
  if (!existsSync(join(made, 'tests'))) return
  expect(await longhaul(['test', `from-${template}`])).toMatchObject({ exit: 0, err: '' })
  if (!existsSync(join(made, 'evals'))) return
  const cases = await loadCases(made)
  expect(cases.length).toBeGreaterThan(0)
  for (const { expect: wanted } of cases)
    if (wanted.answerable && wanted.truth_sql !== undefined) expect((await (await loadTruth(made))(wanted.truth_sql)).rows.length).toBeGreaterThan(0)
})

test('an agent’s tests run where no packages of ours are in sight', async () => {
  expect(await longhaul(['init', 'far-away'])).toMatchObject({ exit: 0 })
  const program = fileURLToPath(new URL('../bin/longhaul.js', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--conditions=longhaul-source', program, 'test', 'far-away'], { cwd: folder })
  expect(stdout).toContain('2 tests, all passed')
})

test('init writes nothing over what is there, and knows its templates', async () => {
  await write('taken/note.txt', 'mine')
  expect(await longhaul(['init', 'taken'])).toMatchObject({ exit: 6, err: expect.stringContaining('not empty') })
  expect(await longhaul(['init', 'new', '--template', 'durabel'])).toMatchObject({ exit: 2, err: expect.stringContaining('Did you mean durable?') })
  expect(await longhaul(['init', 'Bad Name'])).toMatchObject({ exit: 2, err: expect.stringContaining('lower-case') })
})

test('new code is a new version for new runs; the one before comes back with one command', async () => {
  await write('echo/agent/agent.ts', answering('one'))
  const first = await deployed('echo')
  expect(await ask('echo')).toBe('one')
  await write('echo/agent/agent.ts', answering('two'))
  const second = await deployed('echo', '--reason', 'says two')
  expect(second.deployment).toMatchObject({ replaced: first.version.version, reason: 'says two', guard: { windowMs: 3_600_000, failureShareMax: 0.1 } })
  expect(await ask('echo')).toBe('two')
  expect((await deployed('echo')).deployment?.id).toBe(second.deployment?.id)
  expect(await longhaul(['agents', 'rollback', 'echo'])).toMatchObject({ exit: 0, out: expect.stringContaining(first.version.version) })
  expect(await ask('echo')).toBe('one')
  const difference = await longhaul(['agents', 'diff', 'echo', first.version.version, second.version.version])
  expect(difference.out).toMatch(/agent\/agent\.ts +changed/)
  expect((await longhaul(['agents', 'diff', 'echo', first.version.version, first.version.version])).out).toContain('The code is the same.')
  const list = await longhaul(['agents', 'versions', 'echo'])
  expect(list.out).toMatch(new RegExp(`${second.version.version} +ready +0`))
  expect(list.out).toMatch(new RegExp(`${first.version.version} +ready +live, 100 %`))
  expect((await longhaul(['agents', 'deployments', 'echo'])).out).toMatch(/rolled back/)
})

test('a run stays on its version while another one is deployed, and the plan says so', async () => {
  const waiting = `import { durable } from '@longhaul/sdk'\nexport default durable('Waits.', async (ctx) => { await ctx.waitForSignal('go'); return 'old' })\n`
  await write('patient/agent/agent.ts', waiting)
  const { version: old } = await deployed('patient')
  const run = await server.client.runs.start({ agent: 'patient', input: {} })
  await expect.poll(async () => (await server.client.runs.get({ runId: run.id })).state, { timeout: 20_000 }).toBe('waiting')
  await write('patient/agent/agent.ts', answering('new'))
  expect((await longhaul(['deploy', 'patient'])).out).toContain(`1 run stays on ${old.version}`)
  await server.client.runs.signal({ runId: run.id, name: 'go', payload: null })
  await expect.poll(async () => (await server.client.runs.get({ runId: run.id })).output, { timeout: 20_000 }).toBe('old')
  expect(await ask('patient')).toBe('new')
})

test('code that does not load is refused with file and line, and what is live stays so', async () => {
  await write('fragile/agent/agent.ts', answering('fine'))
  await deployed('fragile')
  await write('fragile/agent/agent.ts', 'export default 1 +')
  expect(await longhaul(['deploy', 'fragile'])).toMatchObject({ exit: 2, err: expect.stringMatching(/agent\/agent\.ts: does not parse/) })
  expect(await ask('fragile')).toBe('fine')
  expect(await longhaul(['deploy', 'nothing-here'])).toMatchObject({ exit: 5, err: expect.stringContaining('npx longhaul init') })
})

test('a canary serves its share and is taken back; a version that was only uploaded serves nobody', async () => {
  await write('bird/agent/agent.ts', answering('live'))
  await deployed('bird')
  await write('bird/agent/agent.ts', answering('canary'))
  const { version, deployment } = await deployed('bird', '--no-promote')
  expect(deployment).toBeNull()
  expect(await ask('bird')).toBe('live')
  expect(await longhaul(['agents', 'promote', 'bird', version.version, '--canary', '99', '--no-guard'])).toMatchObject({ exit: 0 })
  const answers = new Set<unknown>()
  for (let n = 0; n < 5; n++) answers.add(await ask('bird', 'the same'))
  expect(answers.size).toBe(1) // A session stays with what it gets.
  await longhaul(['agents', 'rollback', 'bird'])
  expect(await ask('bird', 'the same')).toBe('live')
})

test('a canary is for whom it names and not for whom it excepts, with what their runs call', async () => {
  await write('named/agent/agent.ts', answering('live'))
  await deployed('named')
  await write(
    'asking/agent/agent.ts',
    `import { durable } from '@longhaul/sdk'\nexport default durable('Asks.', async (ctx) => [ctx.asker.id, (await ctx.call('named', null)).output])\n`,
  )
  await deployed('asking')
  const [me, before] = (await ask('asking')) as [string, string]
  expect(before).toBe('live')
  await write('named/agent/agent.ts', answering('canary'))
  expect((await deployed('named', '--canary-subject', me)).deployment).toMatchObject({ share: 0, canarySubjects: { always: [me], never: [] } })
  expect([await ask('named'), await ask('asking')]).toEqual(['canary', [me, 'canary']])
  expect((await deployed('named', '--canary', '99', '--canary-except', me)).deployment).toMatchObject({ share: 99 })
  for (let n = 0; n < 4; n++) expect([await ask('named'), await ask('asking')]).toEqual(['live', [me, 'live']])
  expect((await longhaul(['agents', 'deployments', 'named'])).out).toContain(`not ${me}`)
  const wrong = await longhaul(['deploy', 'named', '--canary-subject', me, '--canary-except', me])
  expect(wrong).toMatchObject({ exit: 2, err: expect.stringContaining('Name it in one of them') })
})

test('a version whose runs fail is taken back by the server itself', async () => {
  await write('guarded/agent/agent.ts', answering('good'))
  const good = await deployed('guarded')
  for (let n = 0; n < 3; n++) await ask('guarded')
  await write(
    'guarded/agent/agent.ts',
    `import { TerminalFailure, durable } from '@longhaul/sdk'\nexport default durable('Fails.', async () => { throw new TerminalFailure('bad') })\n`,
  )
  expect((await longhaul(['deploy', 'guarded', '--duration-ratio', '0.5'])).err.replaceAll(/\s+/g, ' ')).toContain('a number from 1 to 100')
  expect(await longhaul(['deploy', 'guarded', '--duration-ratio', '1.5', '--cost-ratio', '2'])).toMatchObject({ exit: 0 })
  expect((await server.client.deployments.list({ agent: 'guarded' })).items[0]?.guard).toMatchObject({ durationRatioMax: 1.5, costRatioMax: 2 })
  for (let n = 0; n < 3; n++) await ask('guarded')
  await expect.poll(async () => (await server.client.agents.get({ name: 'guarded' })).version, { timeout: 20_000 }).toBe(good.version.version)
  expect(await ask('guarded')).toBe('good')
  const { items } = await server.client.deployments.list({ agent: 'guarded' })
  expect(items[1]).toMatchObject({ state: 'rolled_back', evidence: { own: { runCount: 3, failedCount: 3 } } })
})

test('code with packages of its own is bundled with them', async () => {
  await write('packed/package.json', '{ "dependencies": { "left": "1.0.0", "zod": "4.0.0" } }')
  await write('packed/node_modules/left/package.json', '{ "name": "left", "version": "1.0.0", "main": "index.js" }')
  await write('packed/node_modules/left/index.js', "module.exports = (text) => '« ' + text + require('node:os').EOL.trim()")
  await write(
    'packed/agent/agent.ts',
    `import { durable } from '@longhaul/sdk'\nimport left from 'left'\nexport default durable('Packed.', async (): Promise<string> => left('from a package'))\n`,
  )
  expect(await longhaul(['deploy', 'packed'])).toMatchObject({ exit: 0, out: expect.stringContaining('bundled with left') })
  expect(await ask('packed')).toBe('« from a package')
  await rm(join(folder, 'packed/node_modules'), { recursive: true })
  expect(await longhaul(['deploy', 'packed'])).toMatchObject({ exit: 2, err: expect.stringMatching(/agent\/agent\.ts:2: Could not resolve "left"/) })
})

test('dev deploys every change, says what does not load, answers what is typed, and ends with Ctrl-C', async () => {
  await write('live/agent/agent.ts', answering('first'))
  const interrupt = new AbortController()
  let out = ''
  const done = longhaul(['dev', 'live', '--quiet'], { interrupt, onOut: (text) => (out = text) })
  await expect.poll(() => out, { timeout: 20_000 }).toMatch(/● live live: [0-9a-f]{12}/)
  expect(await ask('live')).toBe('first')
  await write('live/agent/agent.ts', 'export default 1 +')
  await expect.poll(() => out, { timeout: 20_000 }).toMatch(/✗ live broken: .*agent\.ts: does not parse/)
  expect(await ask('live')).toBe('first')
  await write('live/agent/agent.ts', answering('second'))
  await expect.poll(async () => (out.match(/● live live/g) ?? []).length, { timeout: 20_000 }).toBe(2)
  expect(await ask('live')).toBe('second')
  ctrlC(interrupt)
  expect((await done).exit).toBe(0)
})
