/** What is particular to the virtual shell. What it has in common with the real driver: test/sandbox/drivers.test.ts. */
import { spawn, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { silentLog } from '../../../kernel/index.ts'
import type { Sandbox, SandboxDriver } from '../../driver.ts'
import { identityOf } from '../../processes.ts'
import { recordProcess } from '../../records.ts'
import { claimRoot, type Root } from '../../root.ts'
import { nodeOptions } from './interpreter.ts'
import { virtualDriver } from './virtual.ts'

const never = new AbortController().signal
const megabyte = 1024 * 1024
let root: Root
let driver: SandboxDriver
let count = 0

beforeAll(() => {
  root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-virtual-')))
  driver = virtualDriver({ root, log: silentLog, idleMs: 60_000 })
})
afterAll(async () => {
  await driver.stop()
  rmSync(root.path, { recursive: true })
})

const make = (limits = {}) => driver.create({ id: `v${++count}`, limits })
const sh = (sandbox: Sandbox, script: string, timeoutMs = 20_000) => sandbox.exec({ script, timeoutMs }, { signal: never })

test('it says what it is and what a real sandbox needs', async () => {
  const capabilities = await driver.probe()
  expect(capabilities).toMatchObject({ driver: 'virtual', isUsable: true, languages: ['sh'] })
  expect(capabilities.missing.map(({ remedy }) => remedy).join()).toMatch(process.platform === 'linux' ? /apt-get install bubblewrap/ : /Linux/)
  expect(readdirSync(root.path).filter((name) => !name.startsWith('.'))).toEqual([])
})

test.each(['python3 -c "print(1)"', 'python x.py', 'node -e 1', 'npm install', 'pip install x', 'sqlite3 :memory: "select 1"'])(
  '%s is refused with the line that installs what is missing',
  async (script) => {
    const result = await sh(await make(), script)
    expect(result.exitCode).toBe(127)
    expect(result.stderr).toContain('apt-get install bubblewrap')
  },
)

test('the tools for structured text work', async () => {
  const sandbox = await make()
  const { stdout } = await sh(
    sandbox,
    `echo '[{"a":3},{"a":1}]' > x.json; jq -c 'sort_by(.a) | map(.a)' x.json; printf 'a: 1\\n' | yq .a; printf 'x,y\\n1,2\\n' | cut -d, -f2 | tail -n 1; find . -name '*.json' | xargs wc -c | tr -s ' '`,
  )
  expect(stdout).toBe('[1,3]\n1\n2\n18 ./x.json\n')
})

test('nothing of the server is to be seen: neither its files, nor its environment, nor its processes', async () => {
  process.env['LONGHAUL_TEST_SECRET'] = 'secret-of-the-server'
  writeFileSync(join(root.path, 'canary'), 'secret-of-the-server')
  const { stdout } = await sh(
    await make(),
    `cat ${join(root.path, 'canary')} ${import.meta.filename} /etc/hostname /etc/passwd /proc/self/environ /proc/*/environ; env; printenv LONGHAUL_TEST_SECRET; find / -type f 2>/dev/null | grep -v -e ^/bin -e ^/usr/bin -e ^/proc/ -e ^/dev/; ls /proc`,
  )
  expect(stdout).not.toContain('secret-of-the-server')
  expect(stdout).not.toContain(process.env['USER'] ?? 'no user')
  expect(readFileSync(join(root.path, 'canary'), 'utf8')).toBe('secret-of-the-server')
  rmSync(join(root.path, 'canary'))
})

test('a memory bomb ends the command, not the server', async () => {
  const sandbox = await make({ memoryBytesMax: 64 * megabyte })
  expect((await sh(sandbox, 'x=$(seq 1000); echo ${#x}')).stdout).toBe('3892\n')
  expect((await sh(sandbox, 'x=0123456789; while true; do x="$x$x"; done')).exitCode).not.toBe(0)
  const bomb = await sh(sandbox, `awk 'BEGIN { while (1) { a[i++] = sprintf("%01000d", i) } }'`)
  expect(bomb).toMatchObject({ exitCode: null, signal: 'SIGKILL', isTimedOut: false, stderr: expect.stringContaining('64 MB of memory') })
  expect(await sh(sandbox, 'echo alive')).toMatchObject({ stdout: 'alive\n', exitCode: 0 })
})

test('what would pass the limit of the workspace is not kept, and said so', async () => {
  const sandbox = await make({ diskBytesMax: megabyte, fileCountMax: 20 })
  expect(await sh(sandbox, 'printf "%0500000d" 0 > fits; echo ok')).toMatchObject({ exitCode: 0 })
  const big = await sh(sandbox, 'for i in 1 2 3 4 5; do cat fits fits > big$i; done; echo went on').then(
    (result) => result.stderr,
    (error: Error) => error.message,
  )
  expect(big).toMatch(/memory|limit|ENOSPC|may hold/i)
  const many = await sh(sandbox, 'for i in $(seq 30); do echo > f$i; done').then(
    () => 'kept',
    (error: Error) => error.message,
  )
  expect(many).toMatch(/20 files/)
  expect((await sh(sandbox, 'ls | grep -c "^f[0-9]"; wc -c < fits')).stdout.replace(/ /g, '')).toBe('0\n500000\n')
})

test('a command that was ended leaves the workspace as it was before', async () => {
  const sandbox = await make()
  await sh(sandbox, 'echo before > note')
  expect(await sh(sandbox, 'echo during > note; while true; do :; done', 400)).toMatchObject({ isTimedOut: true, stderr: expect.stringContaining('not kept') })
  expect((await sh(sandbox, 'cat note')).stdout).toBe('before\n')
})

test('reading alone writes nothing; a change is on disk when its command is done', async () => {
  const sandbox = await make()
  const file = join(root.path, `v${count}`, 'virtual.json')
  await sh(sandbox, 'echo x > note')
  const written = readFileSync(file, 'utf8')
  rmSync(file)
  await sh(sandbox, 'cat note; ls; true')
  expect(() => readFileSync(file)).toThrow()
  await sh(sandbox, 'chmod 700 note')
  expect(JSON.parse(readFileSync(file, 'utf8'))).not.toEqual(JSON.parse(written))
})

test('the interpreter itself may read its own code, and neither other files, nor write, nor start programs', () => {
  const attempt = (code: string) =>
    spawnSync(process.execPath, [...nodeOptions({ memoryBytesMax: 64 * megabyte }), '-e', code], { encoding: 'utf8', env: {}, cwd: '/' })
  const library = createRequire(import.meta.url).resolve('just-bash')
  expect(attempt(`require('node:fs').readFileSync(${JSON.stringify(library)})`)).toMatchObject({ status: 0 })
  const denied = [
    "fs.readFileSync('/etc/hostname')",
    "fs.writeFileSync('/tmp/escaped', '')",
    "require('node:child_process').execFileSync('/bin/true')",
    "new (require('node:worker_threads').Worker)('0', { eval: true })",
    "process.dlopen({ exports: {} }, '/lib/x.node')",
    `fs.readFileSync(${JSON.stringify(join(root.path, '.lock'))})`,
  ]
  for (const each of denied) expect(attempt(`const fs = require('node:fs'); ${each}`).stderr, each).toMatch(/ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED/)
})

test('an interpreter that outlived its server is ended by the sweep', async () => {
  const orphan = spawn('sleep', ['60'])
  const ended = new Promise((resolve) => orphan.on('exit', (_, signal) => resolve(signal)))
  mkdirSync(join(root.path, 'left'))
  recordProcess(join(root.path, 'left'), identityOf(orphan.pid ?? 0))
  await driver.sweep()
  expect(await ended).toBe('SIGKILL')
})

test('a tree that cannot be read is an error, not an empty workspace', async () => {
  const sandbox = await make()
  await sh(sandbox, 'echo x > note')
  await sandbox.stop()
  const file = join(root.path, `v${count}`, 'virtual.json')
  writeFileSync(file, '{"version":1,"entries":[{"type":"fi')
  const again = await driver.create({ id: `v${count}` })
  await expect(sh(again, 'ls')).rejects.toMatchObject({ failure: { code: 'sandbox_unavailable', message: expect.stringContaining('virtual.json') } })
})
