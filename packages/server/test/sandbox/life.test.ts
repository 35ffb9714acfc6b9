/** Sandboxes through stops, crashes and restarts of their server. */
import { execFileSync } from 'node:child_process'
import { closeSync, constants, fstatSync, openSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { detectCgroups } from '../../src/sandbox/host/cgroup-host.ts'
import { claimRoot } from '../../src/sandbox/root.ts'
import { devicesOf, makeRoot, type Mode, seenIn, startDriver, batteryModes, usableModes } from '../support/sandbox-modes.ts'
import { failureOf, freshId, sh } from '../support/sandbox-suite.ts'

/** Waits for a fact, with a limit. */
async function until(fact: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000
  while (!fact()) {
    if (performance.now() > deadline) throw new Error(`It did not come true that ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Processes anywhere on this host whose command line has `mark` in it. */
function processesWith(mark: string): number {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(mark)
    } catch {
      return false // It ended while we looked.
    }
  }).length
}

/** Our control groups for a root, in every hierarchy. */
function groupsOf(root: string): string[] {
  const tag = claimTag(root)
  const find = execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '4', '-path', `*longhaul-${tag}*`, '-type', 'd'], { encoding: 'utf8' })
  return find.split('\n').filter(Boolean)
}

const tags = new Map<string, string>()
function claimTag(root: string): string {
  const known = tags.get(root)
  if (known) return known
  const copy = claimRoot(root) // Only while no server holds it.
  copy.release()
  tags.set(root, copy.tag)
  return copy.tag
}

const prepared = (mode: Mode): string => {
  const root = makeRoot(mode)
  claimTag(root)
  if (mode.user !== undefined) execFileSync('chown', [String(mode.user), root])
  return root
}

for (const mode of batteryModes()) {
  const isGvisor = mode.driver === 'gvisor'
  /** In the command lines of what runs in a sandbox, as the host sees them: of gVisor's there is only what it was started with. */
  const markIn = (root: string) => (isGvisor ? root : `mark-${freshId()}`)
  describe(mode.name, () => {
    test('a stopped server leaves no process, group, mount or stage behind, and all workspaces', async () => {
      const root = prepared(mode)
      const driver = await startDriver(mode, { root })
      const mark = markIn(root)
      const sandboxes = await Promise.all(['a', 'b', 'c'].map((id) => driver.create({ id })))
      const running = sandboxes.map((each) =>
        sh(each, `(setsid sh -c 'sleep 61; :' ${mark} &); echo x > kept; sh -c 'sleep 60; :' ${mark}`).catch(() => undefined),
      )
      await until(() => ['a', 'b', 'c'].every((id) => existsSync(seenIn(root, id, 'kept'))), 'all three ran')
      expect(processesWith(mark)).toBeGreaterThanOrEqual(3)
      if (!mode.withoutCgroups) expect(groupsOf(root).length).toBeGreaterThan(6)
      await driver.stop()
      await Promise.all(running)
      expect(processesWith(mark)).toBe(0)
      expect(processesWith(root)).toBe(0)
      expect(groupsOf(root)).toEqual([])
      expect(existsSync(`/run/longhaul-${claimTag(root)}`)).toBe(false)
      expect(readFileSync('/proc/self/mounts', 'utf8')).not.toContain(claimTag(root))
      await until(() => devicesOf(root).length === 0, 'no loop device is left')
      await using second = await startDriver(mode, { root })
      expect((await sh(await second.create({ id: 'b' }), 'cat kept')).stdout).toBe('x\n')
    })

    test('after SIGKILL of the server nothing runs on; the next one sweeps, and finds the files', async () => {
      const root = prepared(mode)
      const first = await startDriver(mode, { root })
      const mark = markIn(root)
      const sandbox = await first.create({ id: 'survivor' })
      const running = sh(sandbox, `(setsid sh -c 'sleep 61; :' ${mark} &); echo written > note; sh -c 'sleep 60; :' ${mark}`).catch(() => undefined)
      await until(
        () => existsSync(seenIn(root, 'survivor', 'note')) && readFileSync(seenIn(root, 'survivor', 'note'), 'utf8') === 'written\n',
        'the note is written',
      )
      expect(processesWith(mark)).toBeGreaterThan(0)
      await first.crash()
      await running
      await until(() => processesWith(mark) === 0, 'the sandbox died with its server')
      await until(() => devicesOf(root).length === 0, 'its disk went with it, before anybody swept')
      if (!mode.withoutCgroups) expect(groupsOf(root).length).toBeGreaterThan(0)
      expect(existsSync(join(root, 'survivor/live.json'))).toBe(true)

      // As somebody who is not quite gone still has it: what is written in the pipe of that name must not come here.
      const pipe = join(root, 'survivor/pipes/0.out')
      const stale = existsSync(pipe) ? openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK) : undefined
      await using second = await startDriver(mode, { root })
      await second.sweep()
      if (stale !== undefined) {
        expect(fstatSync(stale).nlink).toBe(0)
        closeSync(stale)
      }
      expect(existsSync(join(root, 'survivor/live.json'))).toBe(false)
      if (!mode.withoutCgroups) expect(groupsOf(root).filter((path) => path.includes('survivor'))).toEqual([])
      expect((await sh(await second.create({ id: 'survivor' }), 'cat note')).stdout).toBe('written\n')
    })

    test('a sandbox that outlived its server is ended by the sweep', async () => {
      const root = prepared(mode)
      const first = await startDriver(mode, { root })
      const sandbox = await first.create({ id: 'stopped' })
      const running = sh(sandbox, 'echo x > up; sleep 60').catch(() => undefined)
      await until(() => existsSync(seenIn(root, 'stopped', 'up')), 'it runs')
      // Stopped processes do not see their parent die until they are continued or killed.
      const outer = (JSON.parse(readFileSync(join(root, 'stopped/live.json'), 'utf8')) as { pid: number }).pid
      process.kill(outer, 'SIGSTOP')
      await first.crash()
      await running
      await using second = await startDriver(mode, { root })
      await second.sweep()
      expect(existsSync(`/proc/${outer}`) && !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${outer}/status`, 'utf8'))).toBe(false)
    })

    test('a record of a process that is long gone kills nobody who has its number now', async () => {
      const root = prepared(mode)
      mkdirSync(join(root, 'old/workspace'), { recursive: true })
      const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
      writeFileSync(join(root, 'old/live.json'), JSON.stringify({ pid: process.pid, startedAt: '1', boot }))
      if (mode.user !== undefined) execFileSync('chown', ['-R', String(mode.user), root])
      await using driver = await startDriver(mode, { root })
      await driver.sweep()
      expect(existsSync(join(root, 'old/live.json'))).toBe(false) // We are alive to see it.
    })

    test('workspaces that nobody used for long are deleted at the next start, others are not', async () => {
      const root = prepared(mode)
      const first = await startDriver(mode, { root })
      for (const id of ['old', 'young']) await (await first.create({ id })).stop()
      await first.stop()
      const longAgo = new Date(Date.now() - 2 * 60 * 60 * 1_000)
      utimesSync(join(root, 'old/used'), longAgo, longAgo)
      await using second = await startDriver(mode, { root, orphanAgeMs: 60 * 60 * 1_000 })
      await second.sweep()
      expect([existsSync(join(root, 'old')), existsSync(join(root, 'young'))]).toEqual([false, true])
    })

    test('an idle sandbox gives its processes back and returns on use', async () => {
      await using driver = await startDriver(mode, { idleMs: 300 })
      const sandbox = await driver.create({ id: 'idle' })
      await sh(sandbox, 'echo kept > note; echo lost > /tmp/note')
      const record = join(driver.root, 'idle/live.json')
      expect(existsSync(record)).toBe(true)
      await until(() => !existsSync(record), 'the idle sandbox ended')
      expect((await sh(sandbox, 'cat note; cat /tmp/note 2>&1 | grep -c "No such"')).stdout).toBe('kept\n1\n')
      // A command longer than the idle time is not idle.
      expect((await sh(sandbox, 'sleep 0.8; echo through')).stdout).toBe('through\n')
    })

    test('a server that shares its folder with another does not start', async () => {
      await using first = await startDriver(mode)
      await first.create({ id: 'x' })
      await expect(startDriver(mode, { root: first.root }).then((second) => second.sweep())).rejects.toThrow(/belong to another server/)
    })

    test('stopping in the middle of everything settles everything', async () => {
      await using driver = await startDriver(mode)
      for (let round = 0; round < 3; round++) {
        const sandbox = await driver.create({ id: `race-${round}` })
        const commands = Array.from({ length: 16 }, (_, i) =>
          sh(sandbox, 'sleep 30', { timeoutMs: 20 + i * 12 }).then(
            (result) => result.isTimedOut || result.signal === 'SIGKILL',
            () => true,
          ),
        )
        const abort = new AbortController()
        const cancelled = failureOf(sandbox.exec({ script: 'sleep 30', timeoutMs: 30_000 }, { signal: abort.signal }))
        await Promise.race(commands)
        abort.abort()
        await Promise.all([sandbox.stop(), sandbox.stop()])
        expect((await Promise.all(commands)).every(Boolean)).toBe(true)
        expect(['cancelled', 'sandbox_lost', 'sandbox_unavailable']).toContain((await cancelled).code)
      }
      expect(processesWith(driver.root)).toBeLessThanOrEqual(4) // The driver's own process and what started it.
    })

    test.skipIf(!mode.hasDisks)('a loop device that a server left when it was killed while it attached goes with the sweep', async () => {
      const root = prepared(mode)
      const first = await startDriver(mode, { root })
      await (await first.create({ id: 'left' })).stop()
      await first.stop()
      await until(() => devicesOf(root).length === 0, 'its own went')
      execFileSync('losetup', ['--find', join(root, 'left/disk.img')])
      expect(devicesOf(root)).toHaveLength(1)
      await using second = await startDriver(mode, { root })
      await second.sweep()
      await until(() => devicesOf(root).length === 0, 'it went')
    })

    test.skipIf(!mode.hasDisks)('a workspace without a disk of its own works on and says what it lacks; one that cannot be mounted is refused', async () => {
      const root = prepared(mode)
      const first = await startDriver(mode, { root, withoutDisks: true })
      await sh(await first.create({ id: 'before' }), 'echo kept > note')
      await first.stop()
      const second = await startDriver(mode, { root })
      const before = await second.create({ id: 'before', limits: { diskBytesMax: 32 << 20 } })
      expect(before.lacks).toEqual(['disk'])
      expect((await sh(before, 'cat note')).stdout).toBe('kept\n')
      const filled = await sh(before, 'i=0; while true; do head -c 4M /dev/zero > f$i; i=$((i+1)); sleep 0.02; done', { timeoutMs: 20_000 })
      expect(filled).toMatchObject({ isTimedOut: false, stderr: expect.stringContaining('may hold 32 MB') })
      // Copied, it is held by the kernel.
      const copy = await second.create({ id: 'copy' })
      expect(copy.lacks).toBeUndefined()
      await second.fork('before', 'copy', 'copy')
      expect((await sh(copy, 'cat note; touch mine && id -u')).stdout).toBe('kept\n1000\n')
      await second.stop()
      await using third = await startDriver(mode, { root, withoutDisks: true })
      expect(await failureOf(third.create({ id: 'copy' }))).toMatchObject({ code: 'sandbox_unavailable', message: expect.stringContaining('cannot mount') })
    })

    // `npm run verify -- sandbox` does it a thousand times; here most where they are fastest.
    const many = mode.withoutCgroups || isGvisor ? 12 : 60
    test(`${many} sandboxes with time-outs and kills leave no descriptor, process, group or disk`, { timeout: 240_000 }, async () => {
      await using driver = await startDriver(mode)
      const round = async (count: number) => {
        for (let i = 0; i < count; i += 3) {
          await Promise.all(
            [0, 1, 2].map(async (offset) => {
              const sandbox = await driver.create({ id: `leak-${i + offset}` })
              if (offset === 1) await sh(sandbox, '(setsid sleep 60 &); sleep 60', { timeoutMs: 50 })
              else if (offset === 2) await sh(sandbox, 'kill -9 -1; sleep 1')
              else await sh(sandbox, 'echo fine')
              await sandbox.destroy()
            }),
          )
        }
      }
      await round(6) // What is made once is made by now.
      const before = await driver.measure()
      await round(many)
      const after = await driver.measure()
      expect(after.descriptors).toBeLessThanOrEqual(before.descriptors)
      expect(after.resources).toBeLessThanOrEqual(before.resources)
      expect(readdirSync(driver.root).filter((name) => !name.startsWith('.'))).toEqual([])
      await until(() => devicesOf(driver.root).length === 0, 'no loop device is left')
    })
  })
}

const asRoot = usableModes().find((mode) => mode.user === undefined && !mode.withoutCgroups && process.getuid?.() === 0)
test.skipIf(!asRoot)('root without the right to mount, as in containers, does without; where its users cannot go it says so', async () => {
  if (!asRoot) return
  await using driver = await startDriver({ ...asRoot, mayMount: false })
  expect(await driver.probe()).toMatchObject({ isUsable: true })
  const status = readFileSync(`/proc/${driver.pid}/status`, 'utf8')
  expect(BigInt(`0x${/^CapBnd:\s+(\S+)/m.exec(status)?.[1]}`) & (1n << 21n)).toBe(0n) // CAP_SYS_ADMIN
  expect((await sh(await driver.create({ id: 'x' }), 'id -u; echo fine > f; cat f')).stdout).toBe('1000\nfine\n')
  const closed = makeRoot(asRoot)
  const inner = join(closed, 'inner')
  await using lost = await startDriver({ ...asRoot, mayMount: false }, { root: inner })
  expect(await lost.probe()).toMatchObject({ isUsable: false, missing: [{ remedy: expect.stringContaining('where every user can go') }] })
  rmSync(closed, { recursive: true })
})

test('what control groups this host has is found without leaving any', () => {
  const host = detectCgroups('not-there')
  const made = [host.limits.memory, host.limits.pids, host.limits.cpu, host.kill].flatMap((each) => each?.base ?? [])
  for (const base of new Set(made)) rmdirIfThere(base)
  expect([...new Set(made)].filter((base) => existsSync(base))).toEqual([])
})

function rmdirIfThere(path: string): void {
  execFileSync('rmdir', [path])
}
