/** What a kernel of its own changes, and what must hold nevertheless. What every driver does alike is in drivers.test.ts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import type { SandboxDriver } from '../../src/sandbox/driver.ts'
import { gvisorDriver } from '../../src/sandbox/drivers/gvisor/gvisor.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import { whyNotGvisor } from '../support/sandbox-modes.ts'
import { freshId, never, sh } from '../support/sandbox-suite.ts'

const whyNot = await whyNotGvisor()
const megabyte = 1024 * 1024

/** Processes of the host, but this one, with `mark` in their command line. */
const hostProcesses = (mark: string): number =>
  readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(mark)
    } catch {
      return false // It ended while we looked.
    }
  }).length

describe.skipIf(whyNot)('gvisor', () => {
  let root: Root
  let driver: SandboxDriver
  beforeAll(() => {
    root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-gvisor-')))
    driver = gvisorDriver({ root, log: silentLog })
  })
  afterAll(async () => {
    await driver.stop()
    root.release()
    rmSync(root.path, { recursive: true })
  })

  test('the kernel inside is not the host’s, and nothing of the host is in sight but its programs', async () => {
    const sandbox = await driver.create({ id: freshId() })
    const { stdout } = await sh(
      sandbox,
      `uname -r; dmesg | grep -c gVisor; for f in ${root.path} /root /home /proc/${process.pid}/status; do test -e $f && echo sees $f; done; id -u; for f in / /usr /etc /opt/longhaul/bin /run/longhaul; do (: > $f/x) 2>/dev/null && echo wrote $f; done; for f in /workspace /tmp /dev/shm; do : > $f/x && echo wrote $f; done`,
    )
    const [kernel, ...rest] = stdout.trim().split('\n')
    expect(kernel).not.toBe(release())
    expect(Number(rest[0])).toBeGreaterThan(0)
    expect(Number(rest[1])).toBeGreaterThan(1_000)
    expect(rest.slice(2)).toEqual(['wrote /workspace', 'wrote /tmp', 'wrote /dev/shm'])
  })

  test('nothing that a command started outlives it, on the host or inside', async () => {
    const sandbox = await driver.create({ id: freshId() })
    await sh(sandbox, '(setsid sh -c "sleep 1; echo late > /workspace/late" &) ; echo done')
    await sh(sandbox, 'sleep 60', { timeoutMs: 500 })
    await sh(sandbox, 'sleep 1.5')
    expect((await sh(sandbox, 'test -e late && echo outlived; ps ax 2>/dev/null | grep -c "[s]leep"')).stdout.trim()).toBe('0')
    expect(hostProcesses(root.path)).toBe(0)
    expect(readdirSync(join(root.path, '.gvisor/state')).filter((name) => !name.endsWith('.lock'))).toEqual([])
  })

  test('memory, processes and disk are bounded, and the sandbox works on', async () => {
    const sandbox = await driver.create({ id: freshId(), limits: { memoryBytesMax: 128 * megabyte, processCountMax: 40, diskBytesMax: 32 * megabyte } })
    const hoard = (count: number) =>
      sandbox.exec(
        { cmd: 'python3', args: ['-c', `x = bytearray(${count * megabyte})\nfor i in range(0, len(x), 4096): x[i] = 1\nprint('kept')`], timeoutMs: 20_000 },
        { signal: never },
      )
    expect(await hoard(32)).toMatchObject({ stdout: 'kept\n', exitCode: 0 })
    expect(await hoard(600)).toMatchObject({ stdout: '', exitCode: null, stderr: expect.stringContaining('128 MB of memory') })
    const bomb = await sh(sandbox, 'bomb() { bomb | bomb & }; bomb; sleep 30', { timeoutMs: 2_000 })
    expect(bomb.exitCode).not.toBe(0)
    const filled = await sh(sandbox, 'i=0; while true; do head -c 4M /dev/zero > f$i; i=$((i+1)); sleep 0.02; done', { timeoutMs: 20_000 })
    expect(filled).toMatchObject({ isTimedOut: false, exitCode: null, stderr: expect.stringContaining('may hold 32 MB') })
    expect((await sh(sandbox, 'rm f*; echo alive')).stdout).toBe('alive\n')
    expect(hostProcesses(root.path)).toBe(0)
  })

  test('input comes as it is given; a fork has the files and a life of its own', async () => {
    const sandbox = await driver.create({ id: freshId() })
    async function* pieces() {
      yield Buffer.from('one\n')
      await new Promise((resolve) => setTimeout(resolve, 300))
      yield Buffer.from('two\n')
    }
    expect(
      (await sandbox.exec({ script: 'while read -r each; do echo "got $each"; done', timeoutMs: 20_000 }, { signal: never, input: pieces() })).stdout,
    ).toBe('got one\ngot two\n')
    await sh(sandbox, 'mkdir a; echo one > a/one; chmod 750 a/one; ln -s /etc/passwd link')
    const copy = await driver.create({ id: freshId() })
    if (!sandbox.trees || !copy.trees) throw new Error('There are no trees.')
    await copy.trees.copyFrom(sandbox.trees)
    expect((await sh(copy, 'cat a/one; test -x a/one && echo may; readlink link; echo two > a/one')).stdout).toBe('one\nmay\n/etc/passwd\n')
    expect((await sh(sandbox, 'cat a/one')).stdout).toBe('one\n')
  })

  test('nothing moves while an archive is made, and goes on after it', async () => {
    const sandbox = await driver.create({ id: 'counts' })
    const counting = sh(sandbox, 'head -c 20M /dev/urandom > ballast; while [ ! -e stop ]; do echo x >> z; done', { timeoutMs: 60_000 })
    const counted = () => statSync(join(root.path, 'counts/workspace/z'), { throwIfNoEntry: false })?.size ?? 0
    const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))
    await vi.waitFor(() => expect(counted()).toBeGreaterThan(0), 20_000)
    const tree = await sandbox.trees?.pack('/workspace', true)
    if (!tree) throw new Error('There are no trees.')
    const before = counted()
    await pause(400) // Nobody reads it yet, so it is not made.
    expect(counted()).toBe(before)
    tree.stream.resume()
    await tree.done
    await vi.waitFor(() => expect(counted()).toBeGreaterThan(before), 10_000)
    await sandbox.files({ action: 'write', files: [{ path: 'stop', base64: '' }] })
    expect(await counting).toMatchObject({ exitCode: 0, stderr: '' })
  })

  test('a killed server leaves nothing running, and its files', async () => {
    const path = mkdtempSync(join(tmpdir(), 'longhaul-gvisor-'))
    const program = join(import.meta.dirname, '../support/gvisor-server.ts')
    const child = spawn(process.execPath, ['--conditions=longhaul-source', program, path, 'echo kept > note; sleep 60'], { stdio: 'ignore' })
    const note = join(path, 'survivor/workspace/note')
    await vi.waitFor(() => expect(existsSync(note) && readFileSync(note, 'utf8')).toBe('kept\n'), 20_000)
    expect(hostProcesses(path)).toBeGreaterThan(2)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await vi.waitFor(() => expect(hostProcesses(path)).toBe(0), 10_000)
    const again = claimRoot(path)
    const second = gvisorDriver({ root: again, log: silentLog })
    await second.sweep()
    expect(readdirSync(join(path, '.gvisor/state'))).toEqual([])
    expect((await sh(await second.create({ id: 'survivor' }), 'cat note')).stdout).toBe('kept\n')
    await second.stop()
    again.release()
    rmSync(path, { recursive: true })
  })
})
