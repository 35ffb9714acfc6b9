/** Forks, archives and the pool: hostile trees lead nowhere, nothing moves while an archive is made, warm sandboxes are as walled as cold ones. */
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setImmediate } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type DriverProcess, devicesOf, isHere, makeRoot, seenIn, startDriver, batteryModes } from '../support/sandbox-modes.ts'
import { failureOf, freshId, never, sh } from '../support/sandbox-suite.ts'

const hasPython = isHere('python3', 'hostile trees')

/** Waits for a fact, with a limit. */
async function until(fact: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 15_000
  while (!fact()) {
    if (performance.now() > deadline) throw new Error(`It did not come true that ${what}.`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

for (const mode of batteryModes()) {
  const isGvisor = mode.driver === 'gvisor'
  /** Megabytes of a file that is one hole, which gVisor reads and fills. */
  const holes = isGvisor ? 90 : 900
  describe(mode.name, () => {
    let driver: DriverProcess
    beforeAll(async () => {
      driver = await startDriver(mode)
    })
    afterAll(() => driver[Symbol.asyncDispose]())

    const pair = async () => {
      const [from, to] = [freshId(), freshId()]
      return { from, to, source: await driver.create({ id: from }), target: await driver.create({ id: to }) }
    }

    for (const how of ['archive', 'copy'] as const) {
      test(`a fork has the files, their rights and links, and a life of its own (by ${how})`, async () => {
        const { from, to, source, target } = await pair()
        await sh(
          source,
          'mkdir -p a/b; echo one > a/b/one; chmod 750 a/b/one; ln -s a/b/one link; ln a/b/one hard; echo odd > "$(printf "odd\\nname")"; mkdir empty',
        )
        await driver.fork(from, to, how)
        const look = 'find . -printf "%y %m %n %p\\n" | sort; cat link hard odd*'
        expect((await sh(target, look)).stdout).toBe((await sh(source, look)).stdout)
        expect((await sh(target, look)).stdout).toContain('one\none\nodd\n')
        await sh(target, 'echo two > a/b/one')
        expect((await sh(source, 'cat a/b/one')).stdout).toBe('one\n')
        expect((await sh(target, 'cat hard; id -u; touch new && echo may')).stdout).toBe('two\n1000\nmay\n')
      })

      test.skipIf(!hasPython)(`what hostile code lays out leads a fork nowhere (by ${how})`, async () => {
        const { from, to, source, target } = await pair()
        await sh(
          source,
          `ln -s /etc/passwd passwd; ln -s / root; ln -s ../../../../etc climbs; mkfifo pipe; mkdir closed; echo in > closed/file; chmod 000 closed/file closed; truncate -s ${holes}M holes; echo fine > "-rf"; ln -s . loop`,
        )
        await driver.fork(from, to, how)
        const { stdout } = await sh(
          target,
          `readlink passwd root climbs loop; test -p pipe && echo pipe; chmod u+rwx closed; chmod u+r closed/file; cat closed/file; python3 -c "import os; print(os.stat('holes').st_size)"; cat ./-rf; find . -xdev | wc -l`,
        )
        expect(stdout).toBe(`/etc/passwd\n/\n../../../../etc\n.\n${isGvisor ? '' : 'pipe\n'}in\n${holes * 1024 * 1024}\nfine\n${isGvisor ? 9 : 10}\n`) // In gVisor a pipe is in memory alone.
        const copied = statSync(seenIn(driver.root, to, 'holes'))
        if (!isGvisor) expect(copied.blocks * 512).toBeLessThan(1_000_000) // Holes are still holes.
        expect(statSync(join(driver.root, to, 'workspace')).uid).toBe(copied.uid)
      })

      test.skipIf(!hasPython)(`a tree too deep to be copied is refused, and both sandboxes work on (by ${how})`, async () => {
        const [from, to] = [freshId(), freshId()]
        const source = await driver.create({ id: from })
        // Of another size: file systems of the same are copied as a whole.
        const target = await driver.create({ id: to, limits: { diskBytesMax: 500_000_000 } })
        const code = 'import os\nfor i in range(400):\n  os.mkdir("d" * 20); os.chdir("d" * 20)\nopen("bottom", "w").write("x")\nprint("deep")'
        expect((await source.exec({ cmd: 'python3', args: ['-c', code], timeoutMs: 20_000 }, { signal: never })).stdout).toBe('deep\n')
        expect(await failureOf(driver.fork(from, to, how))).toMatchObject({ code: 'over_limit' })
        expect((await sh(source, 'echo works')).stdout).toBe('works\n')
        expect((await sh(target, 'echo works')).stdout).toBe('works\n')
      })

      test(`a fork that does not fit is refused before it fills the disk, one that fits is not (by ${how})`, async () => {
        const [from, whole] = [freshId(), freshId()]
        await sh(await driver.create({ id: from }), 'for i in $(seq 60); do head -c 1M /dev/urandom > f$i; done')
        await sh(await driver.create({ id: whole }), 'head -c 30M /dev/urandom > big')
        const [small, large] = [freshId(), freshId()]
        const target = await driver.create({ id: small, limits: { diskBytesMax: 4 * 1024 * 1024 } })
        expect(await failureOf(driver.fork(from, small, how))).toMatchObject({ code: 'over_limit' })
        expect((await target.stats()).diskBytes).toBeLessThan(20 * 1024 * 1024)
        expect(await failureOf(driver.fork(whole, small, how))).toMatchObject({ code: 'over_limit' })
        const fits = await driver.create({ id: large })
        await driver.fork(from, large, how)
        expect((await sh(fits, 'cat f* | wc -c')).stdout).toBe(`${60 * 1024 * 1024}\n`)
      })

      test(`nothing moves while an archive is made: two files that are written together are together in it (by ${how})`, async () => {
        const { from, source } = await pair()
        const counting = sh(source, 'head -c 40M /dev/urandom > ballast; i=0; while [ ! -e stop ]; do i=$((i+1)); echo $i >> a; echo $i >> z; done; echo $i', {
          timeoutMs: 60_000,
        })
        await until(() => existsSync(seenIn(driver.root, from, 'z')), 'it counts')
        const numbers: [number, number][] = []
        for (let round = 0; round < 3; round++) {
          const to = freshId()
          const target = await driver.create({ id: to })
          await driver.fork(from, to, how)
          const { stdout } = await sh(target, 'wc -l < a; wc -l < z')
          await target.destroy()
          const [a = 0, z = 0] = stdout.trim().split('\n').map(Number)
          numbers.push([a, z])
        }
        await source.files({ action: 'write', files: [{ path: 'stop', base64: '' }] })
        const { stdout } = await counting
        for (const [a, z] of numbers) {
          expect(a - z).toBeGreaterThanOrEqual(0)
          expect(a - z).toBeLessThanOrEqual(1)
        }
        // It went on after each: the last count is beyond the last that was seen.
        expect(Number(stdout.trim())).toBeGreaterThan(numbers.at(-1)?.[0] ?? Infinity)
      })

      test(`a command that is stopped for an archive still ends at its time-out (by ${how})`, async () => {
        const { from, to, source } = await pair()
        const running = sh(source, ': > up; sleep 60', { timeoutMs: 1_500 })
        await until(() => existsSync(seenIn(driver.root, from, 'up')), 'it runs')
        await driver.fork(from, to, how)
        expect(await running).toMatchObject({ isTimedOut: true })
        expect((await sh(source, 'pgrep -c sleep')).stdout).toBe('0\n')
      })
    }

    test.skipIf(!mode.hasDisks || !hasPython)(
      'a fork of the same limits has whatever the source has, and its limits, user and life are its own, also after a crash',
      async () => {
        const root = makeRoot(mode)
        const first = await startDriver(mode, { root })
        const limits = { diskBytesMax: 50_000_000 }
        const [source, target] = await Promise.all(['from', 'to'].map((id) => first.create({ id, limits })))
        const deep = 'import os\nfor i in range(400):\n  os.mkdir("d" * 20); os.chdir("d" * 20)\nopen("bottom", "w").write("x")'
        expect(await source!.exec({ cmd: 'python3', args: ['-c', deep], timeoutMs: 20_000 }, { signal: never })).toMatchObject({ exitCode: 0 })
        await sh(source!, 'echo open > file; chmod 000 file')
        await sh(target!, 'echo before > before')
        await first.fork('from', 'to', 'copy')
        await first.crash()
        await using second = await startDriver(mode, { root })
        await second.sweep()
        const fork = await second.create({ id: 'to', limits })
        const down = 'import os\nfor i in range(400):\n  os.chdir("d" * 20)\nprint(open("bottom").read())'
        expect((await fork.exec({ cmd: 'python3', args: ['-c', down], timeoutMs: 20_000 }, { signal: never })).stdout).toBe('x\n')
        expect((await sh(fork, 'ls; find . ! -user 1000; find file -printf "%m\\n"; chmod 600 file; cat file')).stdout).toBe(
          `${'d'.repeat(20)}\nfile\n0\nopen\n`,
        )
        const [ours, theirs] = ['to', 'from'].map((id) => statSync(join(root, id, 'workspace')).uid)
        expect(ours).not.toBe(theirs)
        expect(statSync(seenIn(root, 'to', 'file')).uid).toBe(ours)
        expect((await sh(fork, 'head -c 60M /dev/zero > big')).stderr).toContain('space')
        expect(existsSync(join(root, 'to/disk.foreign'))).toBe(false)
      },
    )

    test('of one sandbox several forks are made at once, and no file system has two devices', async () => {
      const { from, source } = await pair()
      await sh(source, 'for i in $(seq 50); do echo $i > f$i; done')
      const targets = [freshId(), freshId(), freshId()]
      const made = await Promise.all(targets.map((id) => driver.create({ id })))
      const images = () =>
        devicesOf(driver.root).flatMap((name) => {
          try {
            return [readFileSync(`/sys/block/${name}/loop/backing_file`, 'utf8')]
          } catch {
            return [] // It has just gone.
          }
        })
      const forking = Promise.all(targets.map((to) => driver.fork(from, to, 'copy')))
      let isDone = false
      void forking.finally(() => (isDone = true)).catch(() => {}) // It is awaited below.
      while (!isDone) {
        const seen = images()
        expect(new Set(seen).size).toBe(seen.length)
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await forking
      for (const target of made) expect((await sh(target, 'cat f* | wc -l')).stdout).toBe('50\n')
    })

    test('a sandbox tells what it uses', async () => {
      const sandbox = await driver.create({ id: freshId() })
      await sh(sandbox, 'head -c 3M /dev/zero > three')
      const stats = await sandbox.stats()
      expect(stats).toMatchObject({ isRunning: true, processCount: expect.any(Number), memoryBytes: expect.any(Number) })
      expect(stats.diskBytes).toBeGreaterThan(3_000_000)
      expect(stats.fileCount).toBeGreaterThanOrEqual(2)
    })
  })

  describe(`pool, ${mode.name}`, () => {
    test('a warm sandbox gets its name, its seed and its limits, and another one takes its place', async () => {
      await using driver = await startDriver(mode, { poolSize: 2 })
      await driver.sweep()
      const warm = () => readdirSync(driver.root).filter((name) => name.startsWith('pool-') && existsSync(join(driver.root, name, 'live.json')))
      await until(() => warm().length === 2, 'the pool is full')
      const before = new Map(
        warm().map((name) => [readFileSync(join(driver.root, name, 'live.json'), 'utf8'), statSync(join(driver.root, name, 'workspace')).uid]),
      )
      const sandbox = await driver.create({ id: 'named', seed: import.meta.dirname })
      const record = readFileSync(join(driver.root, 'named/live.json'), 'utf8')
      expect(before.has(record)).toBe(true) // It is one of those that ran.
      expect((await sh(sandbox, 'echo tr*.test.ts; touch mine; id -u; echo /run/longhaul/egress/*')).stdout).toBe(
        'trees.test.ts\n1000\n/run/longhaul/egress/*\n',
      )
      expect(existsSync(seenIn(driver.root, 'named', 'mine'))).toBe(true)
      await until(() => warm().length === 2, 'the pool is full again')
      if (!mode.withoutCgroups && !isGvisor) {
        const tight = await driver.create({ id: 'tight', limits: { processCountMax: 12 } })
        const started = await sh(tight, 'for i in $(seq 60); do sleep 30 & done; pgrep -c sleep', { timeoutMs: 5_000 })
        expect(started.stderr).toMatch(/fork|Resource/)
        await until(() => warm().length === 2, 'the pool is full once more')
        const roomy = await driver.create({ id: 'roomy', limits: { memoryBytesMax: 1.5e9 } }) // More than it was started with.
        expect((await sh(roomy, 'echo roomy')).stdout).toBe('roomy\n')
      }
      // No two of them are the same user of the host.
      if (process.getuid?.() === 0 && mode.user === undefined) expect(new Set(before.values()).size).toBe(2)
      if (!isGvisor) expect((await sh(sandbox, 'kill -9 -1; sleep 5')).signal).toBe('SIGKILL')
      expect((await sh(sandbox, 'echo mi*')).stdout).toBe('mine\n') // And starts anew in the same place.
    })

    test('a warm sandbox has its name only once its seed is whole: a server killed meanwhile leaves no half of it to be taken for the workspace', async () => {
      const seed = mkdtempSync(join(tmpdir(), 'longhaul-seed-'))
      chmodSync(seed, 0o755)
      for (let n = 0; n < 200; n++) writeFileSync(join(seed, `${String(n).padStart(3, '0')}.txt`), 'seed\n')
      await using driver = await startDriver(mode, { poolSize: 2 })
      await driver.sweep()
      await until(
        () => readdirSync(driver.root).filter((name) => existsSync(join(driver.root, name, 'live.json'))).length === 2,
        'the first of the pool is warm',
      )
      let isDone = false
      const creating = driver.create({ id: 'named', seed }).finally(() => (isDone = true))
      let looks = 0
      while (!isDone) {
        if (existsSync(join(driver.root, 'named/workspace'))) expect(existsSync(seenIn(driver.root, 'named', '199.txt'))).toBe(true)
        looks++
        await setImmediate()
      }
      expect(looks).toBeGreaterThan(10)
      expect((await sh(await creating, 'echo * | wc -w')).stdout.trim()).toBe('200')
      rmSync(seed, { recursive: true })
    })

    test('a pool leaves nothing: not at a stop, and not at the start after a crash', async () => {
      await using driver = await startDriver(mode, { poolSize: 1 })
      await driver.sweep()
      const folders = () => readdirSync(driver.root).filter((name) => !name.startsWith('.'))
      await until(() => folders().some((name) => existsSync(join(driver.root, name, 'live.json'))), 'the pool is full')
      await driver.crash()
      expect(folders()).toHaveLength(1)
      const left = folders()[0]
      const second = await startDriver(mode, { root: driver.root, poolSize: 1 })
      await second.sweep()
      await until(() => folders().length === 1 && folders()[0] !== left, 'the old one went and a new one came')
      await second.stop()
      expect(folders()).toEqual([])
    })
  })
}
