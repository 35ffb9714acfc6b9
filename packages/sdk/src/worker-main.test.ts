import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { makeAgentFolder } from '../test/support/agent-folder.ts'
import { startWorkerProcess } from '../test/support/worker-process.ts'

const durable = (body: string, more = '') => ({
  'agent/agent.ts': `import { durable } from '@longhaul/sdk'\n${more}\nexport default durable('test', async (ctx, input) => {\n${body}\n})\n`,
})
const run = '00000000-0000-7000-8000-000000000001'

test.each([
  ['TCP', false],
  ['a Unix socket', true],
])('a worker connects over %s with its token, says hello with its manifest, and runs runs', async (_, isUnixSocket) => {
  await using agent = await makeAgentFolder(durable("return { doubled: await ctx.step('double', () => String(input) + String(input)) }"))
  await using worker = await startWorkerProcess(agent.folder, {
    isUnixSocket,
    onFrame: (frame, reply) => frame.type === 'op.done' && reply({ type: 'op.completed', run: frame.run, op: frame.op, output: frame.output }),
  })
  const hello = await worker.next('hello')
  expect(worker.frames[0]).toBe(hello)
  expect(hello).toMatchObject({ protocol: 1, problem: null, pid: worker.child.pid, manifest: { shape: 'function', description: 'test', model: null } })
  expect(worker.authorization()).toBe('Bearer secret-token')
  worker.start(run, 'ab')
  expect(await worker.next('run.completed')).toMatchObject({ run, output: { doubled: 'abab' } })
  await worker.next('heartbeat')
})

test('one that was started ahead loads its code when it is told to, not before', async () => {
  await using agent = await makeAgentFolder({})
  await using worker = await startWorkerProcess(agent.folder, { env: { LONGHAUL_WORKER_SPARE: '1' } })
  await worker.next('heartbeat')
  expect(worker.frames.map(({ type }) => type)).not.toContain('hello')
  await mkdir(join(agent.folder, 'agent'))
  await writeFile(
    join(agent.folder, 'agent/agent.ts'),
    durable('return Object.keys(process.env).filter((name) => name.startsWith("LONGHAUL_"))')['agent/agent.ts'],
  )
  worker.send({ type: 'load' })
  expect(await worker.next('hello')).toMatchObject({ problem: null, manifest: { description: 'test' } })
  worker.start(run)
  expect(await worker.next('run.completed')).toMatchObject({ output: [] })
})

test('code that does not load is reported with its place, and the worker ends with 1', async () => {
  await using agent = await makeAgentFolder({ 'agent/agent.ts': 'export const x: number = 1\n\nexport default durable(((\n' })
  await using worker = await startWorkerProcess(agent.folder)
  const hello = await worker.next('hello')
  expect(hello.manifest).toBeNull()
  expect(hello.problem).toContain('agent/agent.ts: does not parse')
  expect(hello.problem).toMatch(/agent\.ts:3\n/)
  expect(await worker.exited).toMatchObject({ code: 1 })
})

test('a fault that only the engine sees is reported with its place, too', async () => {
  await using agent = await makeAgentFolder({ 'agent/agent.ts': 'const a: number = 1\ntype Two = 2\nconst a: Two = 2\nexport default a\n' })
  await using worker = await startWorkerProcess(agent.folder)
  expect((await worker.next('hello')).problem).toMatch(/has already been declared\n.*agent\.ts:3\nconst a/)
})

test('frames of one turn are one message', async () => {
  await using agent = await makeAgentFolder(durable("await Promise.all(Array.from({ length: 50 }, (_, i) => ctx.step('s' + i, () => i)))"))
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  const before = worker.messageCount()
  worker.start(run)
  await worker.next('op.done', (frame) => frame.op === '49')
  // The steps' message, and at most one heartbeat that came between.
  expect(worker.messageCount() - before).toBeLessThanOrEqual(2)
})

test('the author’s code sees no token, and what it logs names its run', async () => {
  await using agent = await makeAgentFolder(durable("console.log('in a run', { n: 1 }, JSON.stringify(process.env))", "console.warn('while loading')"))
  await using worker = await startWorkerProcess(agent.folder)
  worker.start(run)
  await worker.next('hello')
  worker.start(run)
  const inRun = await worker.next('log', (frame) => frame.message.startsWith('in a run'))
  expect(inRun).toMatchObject({ level: 'info', run })
  expect(inRun.message).toContain('in a run { n: 1 } {"PATH"')
  expect(inRun.message).not.toContain('secret-token')
  expect(inRun.message).not.toContain('LONGHAUL_')
  expect(await worker.next('log', (frame) => frame.message === 'while loading')).toMatchObject({ level: 'warn' })
  expect(worker.frames[0]?.type).toBe('hello')
})

test('log lines are bounded in number, and the worker says how many it left out', async () => {
  await using agent = await makeAgentFolder(
    durable("for (let i = 0; i < 5000; i++) console.log('line ' + i)\nawait new Promise((r) => setTimeout(r, 1100))\nconsole.log('later')"),
  )
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.start(run)
  await worker.next('log', (frame) => frame.message === 'later')
  expect(worker.frames.filter((frame) => frame.type === 'log' && frame.message.startsWith('line'))).toHaveLength(200)
  expect(await worker.next('log', (frame) => frame.message.includes('left out'))).toMatchObject({ level: 'warn', message: expect.stringContaining('4800') })
})

test('stray rejections and exceptions are logged, and the worker lives on', async () => {
  await using agent = await makeAgentFolder(
    durable("void Promise.reject(new Error('stray rejection'))\nsetTimeout(() => { throw new Error('stray exception') }, 1)\nawait ctx.sleep('s', 1)"),
  )
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.start(run)
  await worker.next('log', (frame) => frame.message.includes('stray rejection') && frame.run === run)
  await worker.next('log', (frame) => frame.message.includes('stray exception') && frame.run === run)
  worker.send({ type: 'op.completed', run, op: '0', output: null })
  await worker.next('run.completed')
})

test.each([
  ['a step that throws from a callback', "await ctx.step('s', () => new Promise(() => setTimeout(() => { throw new Error('from a callback') }, 1)))"],
  [
    'a step with a rejection that nobody waits for',
    "await ctx.step('s', async () => { void Promise.reject(new Error('from a callback')); await new Promise(() => {}) })",
  ],
])('%s fails', async (_, body) => {
  await using agent = await makeAgentFolder(durable(body))
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.start(run)
  expect(await worker.next('op.error')).toMatchObject({ op: '0', failure: { message: 'from a callback' } })
})

test('a worker that cannot make sense of a message ends', async () => {
  await using agent = await makeAgentFolder(durable(''))
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.send('nonsense' as never, null as never)
  expect(await worker.exited).toMatchObject({ code: 1, stderr: expect.stringContaining('a message could not be handled') })
})

test('code that blocks the event loop stops the heartbeat', async () => {
  await using agent = await makeAgentFolder(durable('const until = Date.now() + 2500\nwhile (Date.now() < until);'))
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('heartbeat')
  worker.start(run)
  const startedAt = performance.now()
  await worker.next('run.completed')
  const blocked = worker.frames.findIndex((frame) => frame.type === 'run.completed')
  expect(performance.now() - startedAt).toBeGreaterThan(2_000)
  expect(worker.frames.slice(0, blocked).filter((frame) => frame.type === 'heartbeat').length).toBeLessThanOrEqual(2)
})

test('runs wait for prepare, which fills the data folder they see', async () => {
  await using agent = await makeAgentFolder({
    'agent/agent.ts': `import { durable } from '@longhaul/sdk'
import { readFile, writeFile } from 'node:fs/promises'
export default durable('test', async (ctx) => ctx.step('read', () => readFile(ctx.dataDir + '/made', 'utf8')), {
  async prepare({ dataDir, log }) { log('preparing'); await new Promise((r) => setTimeout(r, 100)); await writeFile(dataDir + '/made', 'by prepare') },
})`,
  })
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.start(run)
  expect(await worker.next('op.done')).toMatchObject({ output: 'by prepare' })
  expect(worker.frames).toContainEqual({ type: 'log', level: 'info', message: 'preparing' })
})

test('a worker ends when its connection does', async () => {
  await using agent = await makeAgentFolder(durable(''))
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.closeSocket()
  expect(await worker.exited).toMatchObject({ code: 1, stderr: expect.stringContaining('connection to the server is gone') })
})

test('a worker ends when its standard input does', async () => {
  await using agent = await makeAgentFolder(durable(''))
  await using worker = await startWorkerProcess(agent.folder)
  await worker.next('hello')
  worker.child.stdin?.end()
  expect(await worker.exited).toMatchObject({ code: 1, stderr: expect.stringContaining('parent process is gone') })
})

test('a worker whose standard input is /dev/null lives', async () => {
  await using agent = await makeAgentFolder(durable(''))
  await using worker = await startWorkerProcess(agent.folder, { stdin: 'ignore' })
  await worker.next('heartbeat')
  expect(worker.child.exitCode).toBeNull()
})

test('a worker that nobody answers ends with the reason', async () => {
  const child = spawn(process.execPath, ['--conditions=longhaul-source', fileURLToPath(new URL('worker-main.ts', import.meta.url))], {
    env: {
      LONGHAUL_WORKER_URL: 'ws://127.0.0.1:1/v1/worker',
      LONGHAUL_WORKER_TOKEN: 't',
      LONGHAUL_AGENT_FOLDER: '/nonexistent',
      LONGHAUL_AGENT_DATA_DIR: '/tmp',
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (data) => (stderr += String(data)))
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(stderr).toContain('ECONNREFUSED')
})

test('a worker without its settings says which is missing', async () => {
  const child = spawn(process.execPath, ['--conditions=longhaul-source', fileURLToPath(new URL('worker-main.ts', import.meta.url))], {
    env: {},
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (data) => (stderr += String(data)))
  expect(await once(child, 'exit')).toEqual([1, null])
  expect(stderr).toContain('LONGHAUL_WORKER_URL is not set')
})

test('a cold agent waits for none of the contract that only callers need', () => {
  const hooks = `data:text/javascript,import module from 'node:module'; module.registerHooks({ load(url, context, next) { console.log(url); return next(url, context) } })`
  const entry = `import ${JSON.stringify(fileURLToPath(new URL('./worker-main.ts', import.meta.url)))}`
  const node = ['--conditions=longhaul-source', '--import', hooks, '--input-type=module', '--eval', entry]
  const { stdout } = spawnSync(process.execPath, node, { encoding: 'utf8', env: { PATH: process.env['PATH'] } }) // It ends for want of settings.
  expect(stdout).toContain('protocol/src/agent.ts')
  expect(stdout.split('\n').filter((url) => /protocol\/src\/(index|operations)\.ts/.test(url))).toEqual([])
})
