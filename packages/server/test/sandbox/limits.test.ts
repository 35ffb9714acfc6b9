/** What code in a sandbox must not use up, and what must not outlast a command. With positive controls, as in walls.test.ts. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { familyOf } from '../../src/sandbox/processes.ts'
import { type DriverProcess, isHere, startDriver, batteryModes } from '../support/sandbox-modes.ts'
import { failureOf, freshId, never, sh } from '../support/sandbox-suite.ts'

const hasPython = isHere('python3', 'memory and descriptor bombs')
const megabyte = 1024 * 1024

/** Processor time of a process and of all below it, as the host counts it in hundredths of a second. */
const cpuMsOf = (pid: number): number =>
  familyOf(pid).reduce((sum, each) => {
    const stat = existsSync(`/proc/${each}/stat`) ? readFileSync(`/proc/${each}/stat`, 'utf8') : ''
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return sum + (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * 10
  }, 0)

for (const mode of batteryModes()) {
  const isGvisor = mode.driver === 'gvisor'
  describe(mode.name, () => {
    let driver: DriverProcess
    beforeAll(async () => {
      driver = await startDriver(mode)
    })
    afterAll(() => driver[Symbol.asyncDispose]())

    test('a fork bomb is contained, ended and leaves nothing; twenty processes are no bomb', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { processCountMax: 64 } })
      expect((await sh(sandbox, 'for i in $(seq 20); do sleep 60 & done; [ "$(jobs -p | wc -l)" = 20 ] && kill $(jobs -p); wait; echo done')).stdout).toBe(
        'done\n',
      )
      const bomb = await sh(sandbox, 'bomb() { bomb | bomb & }; bomb; sleep 30', { timeoutMs: 1_000 })
      expect(bomb).toMatchObject(isGvisor ? { exitCode: null } : { isTimedOut: true }) // There it may end the sandbox before its time.
      expect(bomb.durationMs).toBeLessThan(8_000)
      expect((await sh(sandbox, 'echo /proc/[0-9]* | wc -w')).stdout.trim()).toMatch(/^[4-9]$/)
    })

    test('a command that comes after a pause is like any other: its words, its folder, its environment, its end', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const paused = async (request: Parameters<typeof sandbox.exec>[0]) => {
        await new Promise((resolve) => setTimeout(resolve, 150)) // A process waits for it by then, where there are control groups.
        return sandbox.exec(request, { signal: never })
      }
      const odd = [`it's`, '$HOME `id`', 'two\nlines', '\\', '', '*', '"', 'é']
      for (const words of [odd, odd.slice(0, -1)]) {
        const { stdout } = await paused({ cmd: 'printf', args: ['[%s]', ...words], timeoutMs: 10_000 })
        expect(stdout).toBe(words.map((word) => `[${word}]`).join(''))
      }
      const env = { MY_NAME: `a'b`, 'odd-name': 'x' }
      expect((await paused({ script: 'mkdir -p deep; echo "$MY_NAME"; cat', env, stdin: 'in', timeoutMs: 10_000 })).stdout).toBe(`a'b\nin`)
      expect((await paused({ script: 'pwd; env | cut -d= -f1 | sort', cwd: 'deep', timeoutMs: 10_000 })).stdout).toBe(
        (await sandbox.exec({ script: 'pwd; env | cut -d= -f1 | sort', cwd: 'deep', timeoutMs: 10_000 }, { signal: never })).stdout,
      )
      expect(await paused({ cmd: 'not-there', args: [], timeoutMs: 10_000 })).toMatchObject({ exitCode: 127 })
      expect(await paused({ script: 'setsid sleep 77 & sleep 60', timeoutMs: 500 })).toMatchObject({ isTimedOut: true })
      expect((await paused({ script: 'pgrep -fc "^sleep 77"', timeoutMs: 10_000 })).stdout).toBe('0\n')
    })

    test.skipIf(mode.withoutCgroups || isGvisor)('a process waits for the next command, and never while one runs, which could speak to it', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const waiting = () =>
        familyOf(driver.pid).filter((pid) => existsSync(`/proc/${pid}/cmdline`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes('eval "$c"'))
      await vi.waitFor(() => expect(waiting().length).toBeGreaterThan(0), 5_000)
      // The square brackets keep the line from finding itself.
      const look = `sleep 0.3; for each in /proc/[0-9]*/cmdline; do tr '\\0' ' ' <$each; echo; done | grep -c 'ev[a]l "$c"'`
      expect((await sh(sandbox, look)).stdout).toBe('0\n')
      // Nor when another one ends beside it.
      const [beside] = await Promise.all([sh(sandbox, look), sh(sandbox, 'true')])
      expect(beside.stdout).toBe('0\n')
    })

    // gVisor does not count for itself: its own threads reach the group's limit, and the sandbox ends.
    test.skipIf(!isGvisor)('more processes than allowed end the sandbox, which works on; fewer do not', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { processCountMax: 40 } })
      const start = (count: number) => sh(sandbox, `for i in $(seq ${count}); do sleep 20 & done; echo started; kill $(jobs -p); wait`)
      expect((await start(20)).stdout).toBe('started\n')
      expect(await start(500)).not.toMatchObject({ exitCode: 0 })
      expect((await start(20)).stdout).toBe('started\n')
    })

    test.skipIf(isGvisor)('more processes than allowed cannot be started', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { processCountMax: 40 } })
      const script =
        "const { spawn } = require('node:child_process'); const all = Array.from({ length: 200 }, () => spawn('sleep', ['20'], { stdio: 'ignore' }).on('error', () => {})); console.log(all.filter((each) => each.pid).length)"
      const started = Number((await sandbox.exec({ cmd: 'node', args: ['-e', `${script}; process.exit()`], timeoutMs: 20_000 }, { signal: never })).stdout)
      expect(started).toBeGreaterThan(10)
      expect(started).toBeLessThan(64)
    })

    test.skipIf(!hasPython)('a process that wants more memory than allowed is ended; one that wants less is not', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { memoryBytesMax: 192 * megabyte } })
      const take = (count: number) =>
        sandbox.exec(
          {
            cmd: 'python3',
            args: ['-c', `import time; x = bytearray(${count * megabyte})\nfor i in range(0, len(x), 4096): x[i] = 1\ntime.sleep(0.5); print('kept')`],
            timeoutMs: 15_000,
          },
          { signal: never },
        )
      expect(await take(64)).toMatchObject({ stdout: 'kept\n', exitCode: 0 })
      const ended = await take(2_000)
      expect(ended.stdout).toBe('')
      expect(ended.stderr).toMatch(/192 MB of memory|MemoryError/)
      expect((await sh(sandbox, 'echo alive')).stdout).toBe('alive\n')
    })

    test.skipIf(!hasPython)('many processes together may not have more memory than one', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { memoryBytesMax: 192 * megabyte } })
      const script = (count: number, each: number) =>
        `for i in $(seq ${count}); do python3 -c "import time; x = b'1' * (${each} << 20); time.sleep(1); print('kept')" & done; wait`
      // Side by side they may print into each other's line.
      const keptCount = (stdout: string) => stdout.match(/kept/g)?.length ?? 0
      expect(keptCount((await sh(sandbox, script(3, 20))).stdout)).toBe(3)
      const bomb = await sh(sandbox, script(8, 60))
      expect(keptCount(bomb.stdout)).toBeLessThan(4)
      expect(bomb.stderr).toContain('192 MB of memory')
    })

    test('temporary and shared memory folders have hard limits', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const { stdout } = await sh(
        sandbox,
        'for f in /tmp /dev/shm; do head -c 100M /dev/zero > $f/x 2>/dev/null && echo all; wc -c < $f/x; rm $f/x; head -c 8M /dev/zero > $f/x && echo some; rm $f/x; done',
      )
      const sizes = stdout.split('\n')
      expect(Number(sizes[0])).toBeLessThanOrEqual(64 * megabyte)
      expect(Number(sizes[2])).toBeLessThanOrEqual(16 * megabyte)
      expect([sizes[1], sizes[3]]).toEqual(['some', 'some'])
    })

    test.skipIf(mode.hasDisks)('a workspace that grows past its limit stops growing, and can be cleaned up', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { diskBytesMax: 32 * megabyte } })
      expect(await sh(sandbox, 'head -c 20M /dev/zero > fits; sleep 0.5')).toMatchObject({ exitCode: 0 })
      const filled = await sh(sandbox, 'i=0; while true; do head -c 4M /dev/zero > f$i; i=$((i+1)); sleep 0.02; done', { timeoutMs: 20_000 })
      expect(filled).toMatchObject({ isTimedOut: false, exitCode: null, stderr: expect.stringContaining('may hold 32 MB') })
      const used = Number(execFileSync('du', ['-sm', driver.root], { encoding: 'utf8' }).split('\t')[0])
      expect(used).toBeLessThan(32 + 126 + 200) // The runtime's copy of Node, and what was written between two looks.
      expect(await sh(sandbox, 'rm f*; sleep 0.6; echo cleaned')).toMatchObject({ exitCode: 0, stdout: 'cleaned\n' })
      expect(await sh(sandbox, 'echo more > note; cat note')).toMatchObject({ stdout: 'more\n' })
    })

    test.skipIf(!mode.hasDisks)('a workspace never has more bytes or files than it may, however fast they come, and works on when it is full', async () => {
      const id = freshId()
      const sandbox = await driver.create({ id, limits: { diskBytesMax: 32 * megabyte, fileCountMax: 400 } })
      const full = await sh(sandbox, 'for i in 1 2 3 4; do head -c 20M /dev/zero > f$i & done; wait; cat f* | wc -c; rm f*')
      expect(Number(full.stdout)).toBeGreaterThan(31 * megabyte)
      expect(Number(full.stdout)).toBeLessThan(33 * megabyte)
      expect(full).toMatchObject({ exitCode: 0, stderr: expect.stringContaining('No space left on device') })
      const many = await sh(
        sandbox,
        'for k in 1 2 3; do mkdir d$k; for i in $(seq 200); do : > d$k/$i; done; done 2>/dev/null; find . | wc -l; chmod 000 d1; : > x || echo none; chmod 700 d1; rm -r d*; : > x && echo one',
      )
      expect(Number(many.stdout.split('\n')[0])).toBeGreaterThan(390)
      expect(Number(many.stdout.split('\n')[0])).toBeLessThan(420)
      expect(many.stdout).toMatch(/none\none\n$/)
      if (isGvisor) return // It holds on to deleted files: what comes back to the host, and when, is up to it. The limit above holds all the same.
      // What is deleted goes back to the host, also where the kernel gave up on it: it does while a full disk looks for room.
      await vi.waitFor(() => expect(statSync(join(driver.root, id, 'disk.img')).blocks * 512).toBeLessThan(20 * megabyte), 30_000)
    })

    test('one file cannot be larger than the whole workspace', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { diskBytesMax: 8 * megabyte } })
      const { stdout } = await sh(sandbox, 'head -c 30M /dev/zero > big; wc -c < big; rm big; head -c 4M /dev/zero > small; wc -c < small')
      expect(stdout).toBe(`${8 * megabyte}\n${4 * megabyte}\n`)
    })

    test.skipIf(mode.hasDisks)('files are counted, also in folders that were closed to hide them', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { fileCountMax: 400 } })
      expect(await sh(sandbox, 'mkdir few; for i in $(seq 100); do : > few/$i; done; sleep 0.5')).toMatchObject({ exitCode: 0 })
      const hidden = 'for k in 1 2 3 4 5; do mkdir d$k; for i in $(seq 50); do : > d$k/$i; done; chmod 000 d$k; done'
      const many = await sh(sandbox, `${hidden}; sleep 0.6; i=0; while true; do : > e$i; i=$((i+1)); sleep 0.01; done`, { timeoutMs: 20_000 })
      expect(many).toMatchObject({ isTimedOut: false, exitCode: null, stderr: expect.stringContaining('400 files') })
    })

    test('a file request cannot fill the workspace either', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { diskBytesMax: megabyte } })
      const file = (bytes: number) => sandbox.files({ action: 'write', files: [{ path: 'x', base64: Buffer.alloc(bytes).toString('base64') }] })
      expect(await file(megabyte / 2)).toMatchObject({ count: 1 })
      expect(await failureOf(file(2 * megabyte))).toMatchObject({ code: 'over_limit' })
    })

    test('endless output neither fills the server nor stops the command', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const before = (await driver.measure()).memoryBytes
      const result = await sh(sandbox, `yes | head -c ${isGvisor ? 20 : 300}M; yes | head -c ${isGvisor ? 5 : 50}M >&2; echo end > note`)
      expect(result).toMatchObject({ exitCode: 0, isTruncated: true })
      expect(result.stdout).toHaveLength(256 * 1024)
      expect((await sh(sandbox, 'cat note')).stdout).toBe('end\n')
      expect((await driver.measure()).memoryBytes - before).toBeLessThan(100 * megabyte)
    })

    test('output arrives while the command runs', async () => {
      const sandbox = await driver.create({ id: freshId() })
      let hear: (text: string) => void = () => {}
      const heard = new Promise<string>((done) => (hear = done))
      const running = sandbox.exec(
        { script: 'echo first; until [ -e go ]; do sleep 0.02; done; echo last', timeoutMs: 15_000 },
        { signal: never, onOutput: (_, text) => hear(text) },
      )
      expect(await heard).toBe('first\n')
      await sandbox.files({ action: 'write', files: [{ path: 'go', base64: '' }] })
      expect((await running).stdout).toBe('first\nlast\n')
    })

    test('standard streams can be opened by name', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const result = await sandbox.exec(
        { script: 'echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin', stdin: 'in', timeoutMs: 5_000 },
        { signal: never },
      )
      expect(result).toMatchObject({ stdout: 'out\nin', stderr: 'err\n', exitCode: 0 })
    })

    test.skipIf(!hasPython)('descriptors run out in the command, not in the agent or the server', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const result = await sandbox.exec(
        {
          cmd: 'python3',
          args: [
            '-c',
            'import os\nopened = []\ntry:\n  while True: opened.append(os.open("/dev/null", 0))\nexcept OSError as error: print(error.errno, len(opened) < 1100, len(opened) > 500)',
          ],
          timeoutMs: 10_000,
        },
        { signal: never },
      )
      expect(result.stdout).toBe('24 True True\n')
      expect((await sh(sandbox, 'echo alive')).stdout).toBe('alive\n')
    })

    test("whatever escapes its command's session ends with the command, by time-out and otherwise", async () => {
      const sandbox = await driver.create({ id: freshId() })
      const daemon =
        "(env -i /usr/bin/setsid /bin/sh -c '(while true; do date +%s%N > /workspace/beat; /usr/bin/sleep 0.02; done) &' < /dev/null > /dev/null 2>&1 &)"
      const beats = async () => {
        const first = (await sh(sandbox, 'cat beat')).stdout
        return (await sh(sandbox, 'sleep 0.2; cat beat')).stdout !== first
      }
      // It does beat while its command runs, in its own session, with no environment and no parent.
      expect(
        (
          await sh(
            sandbox,
            `${daemon}; until [ -s beat ]; do sleep 0.02; done; a=$(cat beat); until [ "$a" != "$(cat beat)" ]; do sleep 0.02; done; echo beats`,
          )
        ).stdout,
      ).toBe('beats\n')
      expect(await beats()).toBe(false)
      expect(await sh(sandbox, `${daemon}; sleep 30`, { timeoutMs: 400 })).toMatchObject({ isTimedOut: true })
      expect(await beats()).toBe(false)
    })

    test('ending one command leaves another, with its daemons, alone', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const stays = sh(
        sandbox,
        '(setsid sh -c "while [ ! -e go ]; do sleep 0.02; done; echo daemon > said" < /dev/null > /dev/null 2>&1 &); : > up; until [ -e said ]; do sleep 0.02; done; cat said',
      )
      await sh(sandbox, 'until [ -e up ]; do sleep 0.02; done')
      await Promise.all([1, 2, 3].map(() => sh(sandbox, '(setsid sleep 60 &); sleep 60', { timeoutMs: 200 })))
      expect((await sh(sandbox, ': > go; pgrep -fc "sleep [6]0"; true')).stdout.trim()).toBe('0')
      expect(await stays).toMatchObject({ stdout: 'daemon\n', exitCode: 0 })
    })

    test('a daemon that keeps the output open does not hold up its command', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const result = await sh(sandbox, 'sleep 60 & (sleep 0.05; echo late) & echo done')
      expect(result).toMatchObject({ exitCode: 0, stdout: isGvisor ? 'done\n' : 'done\nlate\n' }) // There it ends with its command, at once.
      expect(result.durationMs).toBeLessThan(3_000)
    })

    test('orphans that end are cleared away', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const { stdout } = await sh(
        sandbox,
        'for i in $(seq 50); do (true &); done; while grep -q "^State:.Z" /proc/[0-9]*/status 2>/dev/null; do sleep 0.02; done; echo cleared',
      )
      expect(stdout).toBe('cleared\n')
    })

    test('a command that kills everything it can gets its sandbox back, files and all', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const result = await sh(sandbox, 'echo kept > note; kill -9 -1; sleep 5')
      // In gVisor all that it can kill is its own.
      if (isGvisor) expect(result).toMatchObject({ exitCode: 0 })
      else {
        expect(result).toMatchObject({ exitCode: null, signal: 'SIGKILL', isTimedOut: false })
        expect(result.stderr).toContain('The sandbox ended while the command ran')
      }
      const after = await Promise.all([sh(sandbox, 'cat note'), sh(sandbox, 'cat note')])
      expect(after.map(({ stdout }) => stdout)).toEqual(['kept\n', 'kept\n'])
    })

    test.skipIf(!hasPython)('a tree deeper than any path can be listed, counted and deleted', async () => {
      const sandbox = await driver.create({ id: freshId(), limits: { fileCountMax: 100_000 } })
      const code = 'import os\nfor i in range(3000):\n  os.mkdir("d" * 20); os.chdir("d" * 20)\nopen("bottom", "w").write("x")\nos.chmod(".", 0)\nprint("deep")'
      const folders = () => readdirSync(driver.root).filter((name) => existsSync(join(driver.root, name, 'workspace'))).length
      const before = folders()
      expect((await sandbox.exec({ cmd: 'python3', args: ['-c', code], timeoutMs: 20_000 }, { signal: never })).stdout).toBe('deep\n')
      expect(await sandbox.files({ action: 'list', path: '.' })).toMatchObject({ entries: [{ type: 'directory' }] })
      await sandbox.destroy()
      expect(folders()).toBe(before - 1)
    })

    test('the processor time of a sandbox is limited where a group can do it', async () => {
      const sandbox = await driver.create({ id: freshId() })
      const burn =
        "const { cpuUsage, hrtime } = process; const threads = require('node:worker_threads'); if (threads.isMainThread) for (let i = 0; i < 8; i++) new threads.Worker(__filename); const end = hrtime.bigint() + 600000000n; while (hrtime.bigint() < end); if (threads.isMainThread) console.log((cpuUsage().user + cpuUsage().system) / 600000)"
      await sandbox.files({ action: 'write', files: [{ path: 'burn.cjs', base64: Buffer.from(burn).toString('base64') }] })
      const [before, from] = [cpuMsOf(driver.pid), performance.now()]
      const { stdout } = await sandbox.exec({ cmd: 'node', args: ['burn.cjs'], timeoutMs: 20_000 }, { signal: never })
      // What gVisor tells the inside is not what the host gave it.
      const used = isGvisor ? (cpuMsOf(driver.pid) - before) / (performance.now() - from) : Number(stdout)
      expect(used).toBeGreaterThan(0.2)
      const isLimited = (await driver.probe()).enforced.some((each) => each.startsWith('processor time limit'))
      expect(isLimited).toBe(!mode.withoutCgroups)
      if (isLimited) expect(used).toBeLessThan(Math.max(1, availableParallelism() / 2) * 1.4)
    })
  })
}
