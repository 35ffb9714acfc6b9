import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, readdirSync } from 'node:fs'
import { connect } from 'node:net'
import { fileURLToPath } from 'node:url'
import { text } from 'node:stream/consumers'
import { describe, expect, test, vi } from 'vitest'
import { ProgramError, runProgram, startProgram } from './fork-server.ts'

const isLinux = process.platform === 'linux'
if (!isLinux) process.stderr.write('SKIPPED: what the fork server is to the kernel: it is read from /proc.\n')

vi.stubEnv('LONGHAUL_TEST_SECRET', 'only ours') // Before the first program.

const env = { PATH: process.env['PATH'] ?? '' }
const parentOf = (pid: number) => Number(/^PPid:\s*(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
const isThere = (pid: number) => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
const startCat = () => startProgram('cat', [], { env, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] })

test('a program runs to its end, and one that fails says how', async () => {
  expect(await runProgram('sh', ['-c', 'echo out; echo err >&2'])).toEqual({ stdout: 'out\n', stderr: 'err\n' })
  const failed = await runProgram('sh', ['-c', 'echo half; echo why >&2; exit 3']).catch((error: unknown) => error)
  expect(failed).toBeInstanceOf(ProgramError)
  expect(failed).toMatchObject({ code: 3, stdout: 'half\n', stderr: 'why\n', message: expect.stringContaining('why') as string })
  await expect(runProgram('no-such-program', [])).rejects.toMatchObject({ code: null, message: expect.stringContaining('ENOENT') as string })
  await expect(runProgram('sleep', ['60'], { timeoutMs: 50 })).rejects.toMatchObject({ code: null })
  await expect(runProgram('head', ['-c', '5000', '/dev/zero'], { outputMax: 1_000 })).rejects.toThrow('maxBuffer')
})

test('every pipe carries bytes both ways, and waits for them as programs expect', async () => {
  const copy = 'head -c 300000 <&3 >&4; exec 3<&- 4>&-; cat; echo told >&2; exit 7'
  const program = await startProgram('sh', ['-c', copy], { env, cwd: '/', stdio: ['pipe', 'pipe', 'pipe', 'pipe', 'pipe'] })
  const large = Buffer.alloc(300_000, 'x')
  const came = text(program.stream(4))
  await new Promise((resolve) => setTimeout(resolve, 50)) // It reads before anything is there.
  program.stream(3).write(large)
  program.stream(0).end('in')
  const said = [text(program.stream(1)), text(program.stream(2))]
  expect((await came).length).toBe(300_000)
  expect(await Promise.all(said)).toEqual(['in', 'told\n'])
  expect(await program.closed).toEqual({ code: 7, signal: null })
  expect(() => program.stream(5)).toThrow('No pipe 5')
})

test('what cannot be started is said, and what is killed ends', async () => {
  await expect(startProgram('/no/such', [], { env, cwd: '/', stdio: ['pipe', 'ignore'] })).rejects.toThrow('ENOENT')
  await expect(startProgram('cat', [], { env, cwd: '/no/such', stdio: ['ignore'] })).rejects.toThrow(ProgramError)
  const program = await startProgram('sleep', ['600'], { env, cwd: '/', stdio: ['ignore'] })
  program.kill()
  expect(await program.exited).toEqual({ code: null, signal: 'SIGKILL' })
  program.kill() // Nothing.
})

describe.runIf(isLinux)('to the kernel', () => {
  test('this process starts one program only, which knows nothing of what it knows', async () => {
    const [one, two] = [await startCat(), await startCat()]
    const forkServer = parentOf(one.pid)
    expect([parentOf(two.pid), parentOf(forkServer)]).toEqual([forkServer, process.pid])
    const known = readFileSync(`/proc/${forkServer}/environ`, 'latin1')
    expect(known).toContain('PATH=')
    expect(known).not.toContain('only ours')
    const { stdout } = await runProgram('env', [])
    expect(stdout).toContain('PATH=')
    expect(stdout).not.toContain('only ours')
    for (const each of [one, two]) each.kill()
  })

  test('nothing stays open of a program that has ended, also where nobody read it', async () => {
    const open = () => readdirSync('/proc/self/fd').length
    await (
      await startProgram('true', [], { env, cwd: '/', stdio: ['ignore'] })
    ).closed
    const before = open()
    for (let i = 0; i < 5; i++) {
      const program = await startProgram('echo', ['unread'], { env, cwd: '/', stdio: ['pipe', 'pipe', 'pipe', 'pipe'] })
      program.stream(3).end('unread, too')
      await program.closed
    }
    await vi.waitFor(() => expect(open()).toBeLessThanOrEqual(before))
  })

  test('somebody else who finds where streams come in gets none, and takes nobody’s', async () => {
    const path = /@(longhaul-\S+)/.exec(await readSockets())?.[1] ?? ''
    const stranger = connect({ path: `\0${path}` })
    stranger.write('x'.repeat(43))
    await once(stranger, 'close')
    const program = await startCat()
    program.stream(0).end('mine')
    expect(await text(program.stream(1))).toBe('mine')
  })

  test('signals that stop a service do not end it before its server ends', async () => {
    const program = await startCat()
    const forkServer = parentOf(program.pid)
    for (const signal of ['SIGHUP', 'SIGINT', 'SIGTERM'] as const) process.kill(forkServer, signal)
    const next = await startCat()
    expect([parentOf(next.pid), parentOf(program.pid)]).toEqual([forkServer, forkServer])
    for (const each of [program, next]) each.kill()
    const told = await startProgram('sleep', ['600'], { env, cwd: '/', stdio: ['ignore'] })
    process.kill(told.pid, 'SIGTERM')
    expect(await told.exited).toEqual({ code: null, signal: 'SIGTERM' }) // Its programs are told as ever.
  })

  test('when the fork server is killed, whoever waits hears of it, inputs end, and the next program starts', async () => {
    const program = await startCat()
    const waiting = runProgram('sleep', ['600']).catch((error: unknown) => error)
    process.kill(parentOf(program.pid), 'SIGKILL')
    expect(String(await waiting)).toContain('has ended')
    expect(await program.closed).toEqual({ code: null, signal: 'SIGKILL' })
    await vi.waitFor(() => expect(isThere(program.pid)).toBe(false), { timeout: 5_000 })
    expect((await runProgram('echo', ['again'])).stdout).toBe('again\n')
  })

  test('when this process is killed, the fork server and whoever reads its input end', async () => {
    const source = `
      import { startProgram } from ${JSON.stringify(fileURLToPath(new URL('./fork-server.ts', import.meta.url)))}
      const { pid } = await startProgram('cat', [], { env: {}, cwd: '/', stdio: ['pipe', 'pipe'] })
      process.stdout.write(pid + '\\n')
      setInterval(() => {}, 1_000)`
    const child = spawn(process.execPath, ['--input-type=module', '--no-warnings', '--eval', source], { stdio: ['ignore', 'pipe', 'inherit'], env })
    const [line] = (await once(child.stdout, 'data')) as [Buffer]
    const pid = Number(line.toString())
    const forkServer = parentOf(pid)
    expect([isThere(pid), isThere(forkServer)]).toEqual([true, true])
    child.kill('SIGKILL')
    await vi.waitFor(() => expect([isThere(pid), isThere(forkServer)]).toEqual([false, false]), { timeout: 10_000 })
  })
})

const readSockets = async () => (await runProgram('cat', ['/proc/net/unix'])).stdout
