/** What a kernel of its own changes, and what must hold nevertheless. What every driver does alike is in drivers.test.ts. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { release, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import type { SandboxDriver } from '../../src/sandbox/driver.ts'
import { gvisorDriver } from '../../src/sandbox/drivers/gvisor/gvisor.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import { gvisor, seenIn } from '../support/sandbox-modes.ts'
import { freshId, never, sh } from '../support/sandbox-suite.ts'

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

describe.skipIf(gvisor.whyNot)('gvisor', () => {
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
    expect(rest[1]).toBe('1000')
    expect(rest.slice(2)).toEqual(['wrote /workspace', 'wrote /tmp', 'wrote /dev/shm'])
  })

  test('nothing that a command started outlives it, on the host or inside', async () => {
    const before = hostProcesses(root.path)
    const sandbox = await driver.create({ id: freshId() })
    await sh(sandbox, '(setsid sh -c "sleep 1; echo late > /workspace/late" &) ; echo done')
    await sh(sandbox, 'sleep 60', { timeoutMs: 500 })
    await sh(sandbox, 'sleep 1.5')
    expect((await sh(sandbox, 'test -e late && echo outlived; pgrep -c sleep')).stdout.trim()).toBe('0')
    await sandbox.stop()
    await vi.waitFor(() => expect(hostProcesses(root.path)).toBe(before), 5_000)
  })

  test('a command that was ended at its time-out tells of the signal, and not of how what stood between it and the agent ended', async () => {
    const sandbox = await driver.create({ id: freshId() })
    // The more processes there are, the longer the agent looks for those of the command, and `unshare`, whose first one is gone, ends by itself with 1.
    const script = 'for i in 1 2 3 4 5 6 7 8 9 10; do sh -c "sleep 60; :" & done; wait'
    for (let round = 0; round < 3; round++)
      expect(await sh(sandbox, script, { timeoutMs: 2_000 })).toMatchObject({ isTimedOut: true, exitCode: null, signal: 'SIGKILL' })
  })

  test('nothing outlives a command that is ended while it begins, whatever it has come to by then, and beside others', async () => {
    const sandbox = await driver.create({ id: freshId() })
    const stays = sh(sandbox, 'until [ -e go ]; do sleep 0.1; done; echo stayed', { timeoutMs: 120_000 })
    for (let round = 0; round < 30; round++)
      await Promise.all([0, 1, 2, 3, 4].map((each) => sh(sandbox, '(setsid sleep 61 &); sleep 60', { timeoutMs: 5 + ((round * 5 + each) % 150) })))
    expect((await sh(sandbox, 'sleep 1; pgrep -fa "sleep 6[01]"; : > go')).stdout.split('\n').filter((line) => !line.includes('pgrep'))).toEqual([''])
    expect((await stays).stdout).toBe('stayed\n')
  }, 120_000)

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

  test('ports inside are reached, changes are told, and the proxy is found, while the inside reaches nothing by itself', async () => {
    const sandbox = await driver.create({ id: freshId() })
    if (!sandbox.connect || !sandbox.watch || !sandbox.egress) throw new Error('Something is not there.')
    const abort = new AbortController()
    const listening = sandbox.exec(
      {
        script: `node -e "require('node:http').createServer((q, a) => a.end('inside ' + q.url)).listen(8123, '127.0.0.1', () => console.log('up'))"`,
        timeoutMs: 60_000,
      },
      { signal: abort.signal, onOutput: () => up.resolve() },
    )
    listening.catch(() => {}) // It is cancelled below.
    const up = Promise.withResolvers<void>()
    await up.promise
    const socket = await sandbox.connect(8123)
    let heard = ''
    socket.on('data', (bytes: Buffer) => (heard += bytes.toString()))
    socket.write('GET /x HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    await once(socket, 'end')
    socket.destroy()
    expect(heard).toContain('inside /x')
    await expect(sandbox.connect(8124)).rejects.toMatchObject({ failure: { code: 'not_found' } })

    const told: string[] = []
    const ready = Promise.withResolvers<void>()
    const watching = sandbox.watch('/workspace', {
      signal: abort.signal,
      onReady: () => ready.resolve(),
      onChanges: ({ items }) => told.push(...items.map(({ path, change }) => `${change} ${path}`)),
    })
    watching.catch(() => {}) // Awaited at the end; a test that fails before must not leave a second complaint.
    await ready.promise
    await sh(sandbox, 'mkdir d; echo x > d/f')
    await vi.waitFor(() => expect(told).toContain('changed d/f'), 10_000) // A file that comes and goes between two looks is told of by nobody.
    await sh(sandbox, 'rm d/f')
    await vi.waitFor(() => expect(told).toContain('removed d/f'), 10_000)

    // What the server would put there: a proxy on the socket of this sandbox.
    const proxy = createServer((inner) => inner.end('HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nproxy'))
    const path = join(sandbox.egress.folder, 'proxy.sock')
    await new Promise<void>((done) => proxy.listen(path, done))
    chmodSync(path, 0o666)
    sandbox.egress.open({ http_proxy: 'http://127.0.0.1:3128' })
    expect((await sh(sandbox, 'curl -s -m 10 http://example.com/')).stdout).toBe('proxy')
    expect((await sh(sandbox, 'curl -s -m 3 --noproxy "*" http://1.1.1.1/ || echo closed')).stdout).toBe('closed\n')
    proxy.close()
    abort.abort()
    await watching
  })

  test('a killed server leaves nothing running, and its files', async () => {
    const path = mkdtempSync(join(tmpdir(), 'longhaul-gvisor-'))
    const program = join(import.meta.dirname, '../support/gvisor-server.ts')
    const child = spawn(process.execPath, ['--conditions=longhaul-source', program, path, 'echo kept > note; sleep 60'], { stdio: 'ignore' })
    const note = () => seenIn(path, 'survivor', 'note')
    await vi.waitFor(() => expect(existsSync(note()) && readFileSync(note(), 'utf8')).toBe('kept\n'), 20_000)
    expect(hostProcesses(path)).toBeGreaterThan(2)
    child.kill('SIGKILL')
    await once(child, 'exit')
    await vi.waitFor(() => expect(hostProcesses(path)).toBe(0), 10_000)
    const again = claimRoot(path)
    const second = gvisorDriver({ root: again, log: silentLog })
    await second.sweep()
    for (const name of ['state', 'bundles']) expect(readdirSync(join(path, '.gvisor', name))).toEqual([])
    expect((await sh(await second.create({ id: 'survivor' }), 'cat note')).stdout).toBe('kept\n')
    await second.stop()
    again.release()
    rmSync(path, { recursive: true })
  })
})
