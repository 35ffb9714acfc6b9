/** The command `js` of the driver `js`. What that driver has in common with the others: test/sandbox/drivers.test.ts. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../../kernel/index.ts'
import type { Sandbox, SandboxDriver } from '../../driver.ts'
import { type Root, claimRoot } from '../../root.ts'
import { virtualDriver } from './virtual.ts'

const megabyte = 1024 * 1024
let root: Root
let driver: SandboxDriver
let sandbox: Sandbox
const js = (code: string, timeoutMs = 20_000, ...args: string[]) =>
  sandbox.exec({ cmd: 'js', args: ['-e', code, ...args], timeoutMs }, { signal: new AbortController().signal })
const sh = (script: string) => sandbox.exec({ script, timeoutMs: 20_000 }, { signal: new AbortController().signal })

beforeAll(async () => {
  root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-js-')))
  driver = virtualDriver({ name: 'js', root, log: silentLog })
  sandbox = await driver.create({ id: 'one', limits: { memoryBytesMax: 64 * megabyte, diskBytesMax: megabyte } })
})
afterAll(async () => {
  await driver.stop()
  root.release()
  rmSync(root.path, { recursive: true })
})

test('the probe says what runs, and finds nothing that leads out', async () => {
  expect(await driver.probe()).toMatchObject({ driver: 'js', kernel: 'none', isUsable: true, languages: ['sh', 'js'] })
})

test('a snippet prints, gets arguments, environment and input, and ends with its code', async () => {
  expect(await js('console.log(1 + 1, [1, "a"], process.argv[2]); console.error("oops"); process.exit(3)', 5_000, 'given')).toMatchObject({
    ...{ exitCode: 3, stdout: '2 [1,"a"] given\n', stderr: 'oops\n', driver: 'js' },
  })
  expect(
    (await sh(`printf 'a ü\\nb\\n' > in; cat in | NAME=x js -e 'console.log(process.env.NAME, require("fs").readFileSync(0).split("\\n").length)'`)).stdout,
  ).toBe('x 3\n')
  expect((await js('const x = await Promise.resolve(4); console.log(x)')).stdout).toBe('4\n')
  expect(await js('await new Promise(() => {})')).toMatchObject({ exitCode: 13, stderr: expect.stringContaining('never comes') })
})

test('a mistake is told with its place; nothing is caught that ends a snippet', async () => {
  expect(await js('\nnull.x')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/TypeError: .*\n.*:2/) })
  expect(await js('const')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('SyntaxError') })
  expect(await js('try { process.exit(5) } catch {} console.log("went on")')).toMatchObject({ exitCode: 5, stdout: '' })
  expect(await sandbox.exec({ cmd: 'js', args: ['absent.js'], timeoutMs: 5_000 }, { signal: new AbortController().signal })).toMatchObject({ exitCode: 127 })
})

test('files of the workspace are read and written, modules among them, and kept; others are not to be had', async () => {
  await sh(`mkdir -p lib && echo 'export const twice = (x) => 2 * x' > lib/twice.js && echo 21 > n
cat > main.js <<'END'
import { readFileSync, writeFileSync } from 'fs'
import { twice } from './lib/twice.js'
writeFileSync('deep/er/out', String(twice(Number(readFileSync('n')))))
END`)
  expect(await sh('js main.js && cat deep/er/out')).toMatchObject({ exitCode: 0, stdout: '42' })
  const other = await driver.create({ id: 'one', limits: { memoryBytesMax: 64 * megabyte, diskBytesMax: megabyte } })
  sandbox = other
  expect((await sh('cat deep/er/out; js -e "require(\\"fs\\").rmSync(\\"deep\\")"; ls')).stdout).toBe('42in\nlib\nmain.js\nn\n')
  expect((await sh('ls deep')).exitCode).not.toBe(0)
  expect((await js('console.log(require("fs").existsSync("/etc/hostname"))')).stdout).toBe('false\n')
  expect(await js(`require('fs').writeFileSync('/etc/x', '')`)).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('EACCES') })
  expect(await js('require("fs").writeFileSync("big", "x".repeat(2e6))')).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('ENOSPC') })
})

test('nothing of the host, of Node or of the network is there, whatever is tried', async () => {
  const tries = ['fetch("http://127.0.0.1")', 'require("child_process")', 'import("node:net").then(console.log)', 'process.binding("fs")', 'new Worker("x")']
  for (const each of tries) expect((await js(`await (${each})`)).exitCode, each).toBe(1)
  expect((await js('console.log(Function("return typeof globalThis.Buffer + typeof process.mainModule")())')).stdout).toBe('undefinedundefined\n')
})

test('memory, stack and time end a snippet, and the sandbox goes on', async () => {
  expect(await js('const all = []; for (;;) all.push(new Uint8Array(1e6).fill(1))')).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('out of memory'),
  })
  expect(await js('(function again() { again() })()')).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/stack/) })
  expect(await js('for (;;);', 400)).toMatchObject({ isTimedOut: true, exitCode: null })
  expect((await js('console.log("alive")')).stdout).toBe('alive\n')
})
