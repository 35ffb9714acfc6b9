import type { ExecRequest, ExecResult } from '@longhaul/protocol'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { StepFailure } from '../../src/kernel/index.ts'
import type { CreateOptions, Sandbox } from '../../src/sandbox/driver.ts'

export type SuiteDriver = { create(options: Omit<CreateOptions, 'image'>): Promise<Sandbox>; stop(): Promise<void> }

export const never = new AbortController().signal
let count = 0
export const freshId = (): string => `test-${process.pid}-${++count}`

export function sh(sandbox: Sandbox, script: string, options: Partial<ExecRequest> = {}): Promise<ExecResult> {
  return sandbox.exec({ timeoutMs: 20_000, ...options, script } as ExecRequest, { signal: never })
}

export const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** The failure that `work` rejects with. */
export async function failureOf(work: Promise<unknown>): Promise<StepFailure['failure']> {
  const error = await work.then(
    () => undefined,
    (error: unknown) => error,
  )
  if (!(error instanceof StepFailure)) throw new Error(`Expected a StepFailure, got ${String(error)}`)
  return error.failure
}

/** What every driver does alike. Run it for the stand-in as for the real thing. */
export function testDriver(start: () => Promise<SuiteDriver>): void {
  let driver: SuiteDriver
  let sandbox: Sandbox
  let seed: string
  beforeAll(async () => {
    driver = await start()
    sandbox = await driver.create({ id: freshId() })
    seed = mkdtempSync(join(tmpdir(), 'longhaul-seed-'))
    chmodSync(seed, 0o755)
    mkdirSync(join(seed, 'models'))
    writeFileSync(join(seed, 'models/arr.yml'), 'metric: arr\n')
    symlinkSync('models/arr.yml', join(seed, 'inside'))
    symlinkSync('/etc/hostname', join(seed, 'absolute'))
    symlinkSync('../../outside', join(seed, 'models/up'))
  })
  afterAll(async () => {
    await driver.stop()
    rmSync(seed, { recursive: true })
  })

  test('a command gives its output, its errors and its exit code', async () => {
    expect(await sh(sandbox, 'echo out; echo err >&2; exit 3')).toMatchObject({
      exitCode: 3,
      signal: null,
      stdout: 'out\n',
      stderr: 'err\n',
      isTruncated: false,
      isTimedOut: false,
      driver: sandbox.driver,
    })
  })

  test('a program gets its arguments exactly as they were given', async () => {
    const odd = ['--', '-n', '$HOME', '`id`', "it's", 'a b', '', '*', '"', '\\', 'ü☃']
    const result = await sandbox.exec({ cmd: 'printf', args: ['[%s]', ...odd], timeoutMs: 5_000 }, { signal: never })
    expect(result.stdout).toBe(odd.map((each) => `[${each}]`).join(''))
  })

  test('a program that is not there ends with 127, not with a failure of the step', async () => {
    expect(await sandbox.exec({ cmd: "no'such program", args: [], timeoutMs: 5_000 }, { signal: never })).toMatchObject({ exitCode: 127 })
  })

  test("environment, folder and input are the command's own", async () => {
    await sh(sandbox, 'mkdir -p sub')
    const result = await sandbox.exec(
      { script: 'pwd; echo "$GREETING"; cat', cwd: 'sub', env: { GREETING: 'hello $x' }, stdin: 'input ü\n', timeoutMs: 5_000 },
      { signal: never },
    )
    expect(result.stdout).toBe('/workspace/sub\nhello $x\ninput ü\n')
    expect((await sh(sandbox, 'echo "[$GREETING]"; pwd')).stdout).toBe('[]\n/workspace\n')
  })

  test('a folder that is not there is an error that says so', async () => {
    expect(await failureOf(sh(sandbox, 'pwd', { cwd: 'nowhere' }))).toMatchObject({ code: 'not_found', message: expect.stringContaining('/workspace/nowhere') })
  })

  test('the tools that agents explore files with are there', async () => {
    const script =
      'mkdir -p t && printf "b 2\\na 1\\nc 3\\n" > t/x.txt && grep -rn "a 1" t && sed s/b/B/ t/x.txt | head -n 1 && awk "{ s += \\$2 } END { print s }" t/x.txt && sort t/x.txt | cut -d" " -f1 | tr -d "\\n" && find t -name "*.txt" | wc -l'
    expect((await sh(sandbox, script)).stdout.replace(/ +/g, ' ')).toBe('t/x.txt:2:a 1\nB 2\n6\nabc1\n')
  })

  test('a command that hangs is ended at its time-out, and the sandbox goes on', async () => {
    const result = await sh(sandbox, 'while true; do :; done', { timeoutMs: 300 })
    expect(result).toMatchObject({ isTimedOut: true, exitCode: null, signal: 'SIGKILL', stderr: expect.stringContaining('300 ms') })
    expect(result.durationMs).toBeLessThan(5_000)
    expect(await sh(sandbox, 'echo alive', { timeoutMs: 5_000 })).toMatchObject({ stdout: 'alive\n', isTimedOut: false })
  })

  test('a cancelled command rejects as cancelled', async () => {
    const abort = new AbortController()
    const running = failureOf(sandbox.exec({ script: 'echo started; while true; do :; done', timeoutMs: 20_000 }, { signal: abort.signal }))
    abort.abort()
    expect(await running).toMatchObject({ code: 'cancelled', retryable: false })
    expect((await sh(sandbox, 'echo alive')).stdout).toBe('alive\n')
  })

  test('output past the limit is dropped and said to be', async () => {
    const small = await driver.create({ id: freshId(), limits: { outputBytesMax: 1_000 } })
    const result = await sh(small, 'for i in 1 2 3 4 5 6 7 8 9 10; do printf "%0100d" 0; done; printf x; printf y >&2')
    expect(result).toMatchObject({ exitCode: 0, stdout: '0'.repeat(1_000), stderr: 'y', isTruncated: true })
    expect(await sh(small, 'for i in 1 2 3 4 5 6 7 8 9 10; do printf "%0100d" 0; done')).toMatchObject({ stdout: '0'.repeat(1_000), isTruncated: false })
  })

  test('output is text that the journal can store', async () => {
    const { stdout } = await sh(sandbox, "printf 'a\\000b'")
    expect(stdout).toBe('a\ufffdb')
  })

  test('output is heard of while or after the command runs, all of it and in order', async () => {
    let heard = ''
    const result = await sandbox.exec(
      { script: 'for i in 1 2 3; do echo $i; done', timeoutMs: 5_000 },
      { signal: never, onOutput: (stream, text) => (heard += stream === 'stdout' ? text : '') },
    )
    expect(heard).toBe('1\n2\n3\n')
    expect(result.stdout).toBe(heard)
  })

  test('several commands at once all end with their own output', async () => {
    const results = await Promise.all(Array.from({ length: 12 }, (_, i) => sh(sandbox, `echo ${i}; echo ${i} > c${i}; cat c${i}`)))
    expect(results.map(({ stdout }) => stdout)).toEqual(Array.from({ length: 12 }, (_, i) => `${i}\n${i}\n`))
  })

  test('files are written, listed and read back, byte for byte', async () => {
    const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => (i * 7) % 256))
    const files = [
      { path: 'f/deep/x.bin', base64: bytes.toString('base64') },
      { path: '/workspace/f/empty', base64: '' },
      { path: 'f/-rf', base64: base64('dash') },
    ]
    expect(await sandbox.files({ action: 'write', files })).toEqual({ action: 'write', count: 3 })
    expect(await sandbox.files({ action: 'read', path: 'f/deep/x.bin', bytesMax: 1_000_000 })).toEqual({
      action: 'read',
      base64: bytes.toString('base64'),
      bytes: 200_000,
      isTruncated: false,
    })
    expect(await sandbox.files({ action: 'read', path: 'f/deep/x.bin', bytesMax: 10 })).toEqual({
      action: 'read',
      base64: bytes.subarray(0, 10).toString('base64'),
      bytes: 200_000,
      isTruncated: true,
    })
    expect(await sandbox.files({ action: 'list', path: 'f' })).toEqual({
      action: 'list',
      entries: [
        { name: '-rf', type: 'file', bytes: 4 },
        { name: 'deep', type: 'directory', bytes: expect.any(Number) },
        { name: 'empty', type: 'file', bytes: 0 },
      ],
    })
    expect((await sh(sandbox, 'wc -c < f/deep/x.bin; cat f/-rf')).stdout.trim()).toBe('200000\ndash')
    await sandbox.files({ action: 'write', files: [{ path: 'f/deep/x.bin', base64: base64('shorter') }] })
    expect((await sh(sandbox, 'cat f/deep/x.bin')).stdout).toBe('shorter')
  })

  test('paths that lead out of the workspace are refused, those that only look so are not', async () => {
    for (const path of ['../x', '/etc/passwd', 'a/../../x', '/workspace/../x', '/workspacex', '/proc/self/environ']) {
      expect(await failureOf(sandbox.files({ action: 'read', path, bytesMax: 10 })), path).toMatchObject({ code: 'not_permitted' })
      expect(await failureOf(sandbox.files({ action: 'write', files: [{ path, base64: '' }] })), path).toMatchObject({ code: 'not_permitted' })
      expect(await failureOf(sandbox.files({ action: 'list', path })), path).toMatchObject({ code: 'not_permitted' })
    }
    expect(await failureOf(sandbox.files({ action: 'read', path: 'a\0b', bytesMax: 10 }))).toMatchObject({ code: 'invalid' })
    await sandbox.files({ action: 'write', files: [{ path: 'x/../..y', base64: base64('fine') }] })
    expect(await sandbox.files({ action: 'read', path: './..y', bytesMax: 10 })).toMatchObject({ base64: base64('fine') })
  })

  test('what is not there is not found; a folder is not a file', async () => {
    await sh(sandbox, 'mkdir -p folder')
    expect(await failureOf(sandbox.files({ action: 'read', path: 'absent', bytesMax: 10 }))).toMatchObject({ code: 'not_found' })
    expect(await failureOf(sandbox.files({ action: 'list', path: 'absent' }))).toMatchObject({ code: 'not_found' })
    expect(await failureOf(sandbox.files({ action: 'read', path: 'folder', bytesMax: 10 }))).toMatchObject({ code: 'invalid' })
  })

  test('what no program could be started with is refused', async () => {
    expect(await failureOf(sh(sandbox, 'echo a\0b'))).toMatchObject({ code: 'invalid' })
    expect(await failureOf(sh(sandbox, 'true', { env: { 'A=B': 'x' } }))).toMatchObject({ code: 'invalid' })
    const much = Array.from({ length: 50 }, () => 'x'.repeat(100_000))
    expect(await failureOf(sandbox.exec({ cmd: 'true', args: much, timeoutMs: 5_000 }, { signal: never }))).toMatchObject({ code: 'over_limit' })
    expect((await sh(sandbox, `: ${'x'.repeat(190_000)}\necho long script`)).stdout).toBe('long script\n')
  })

  test('a new workspace starts with its seed, and with nothing from outside the seed', async () => {
    const seeded = await driver.create({ id: freshId(), seed })
    expect((await sh(seeded, 'cat models/arr.yml inside')).stdout).toBe('metric: arr\nmetric: arr\n')
    expect((await sh(seeded, 'find . | sort')).stdout).toBe('.\n./inside\n./models\n./models/arr.yml\n')
  })

  test('the workspace outlives its sandbox; the seed is planted once', async () => {
    const id = freshId()
    const first = await driver.create({ id, seed })
    await sh(first, 'echo kept > note; rm inside; mkdir -p deep/er; ln -s note link; chmod 755 note')
    await first.stop()
    const second = await driver.create({ id, seed })
    expect((await sh(second, 'cat note link; test -e inside && echo inside; test -d deep/er && echo deep/er; test -x note && echo executable')).stdout).toBe(
      'kept\nkept\ndeep/er\nexecutable\n',
    )
  })

  test('a destroyed workspace is gone', async () => {
    const id = freshId()
    const first = await driver.create({ id })
    await sh(first, 'echo x > y')
    await first.destroy()
    expect((await sh(await driver.create({ id }), 'find .')).stdout).toBe('.\n')
  })

  test("sandboxes do not see each other's files", async () => {
    const [a, b] = await Promise.all([driver.create({ id: freshId() }), driver.create({ id: freshId() })])
    await sh(a, 'echo secret-of-a > /workspace/x; echo secret-of-a > /tmp/x')
    expect((await sh(a, 'cat /workspace/x /tmp/x')).stdout).toBe('secret-of-a\nsecret-of-a\n')
    expect((await sh(b, 'cat /workspace/x /tmp/x')).stdout).toBe('')
  })

  test('a stopped sandbox says that it is stopped', async () => {
    const stopped = await driver.create({ id: freshId() })
    await stopped.stop()
    expect(await failureOf(sh(stopped, 'true'))).toMatchObject({ code: 'sandbox_unavailable' })
  })

  test('ids of any shape get workspaces of their own', async () => {
    const ids = ['../up', '/etc', '', 'a/b', 'a\0b', '.', '..', '--bind', 'x'.repeat(500), 'ü☃']
    for (const id of ids) {
      const odd = await driver.create({ id })
      expect((await sh(odd, 'find .; echo taken > mine')).stdout, JSON.stringify(id)).toBe('.\n')
      await odd.destroy()
    }
  })

  test('the network cannot be reached', async () => {
    await using server = await countConnections()
    const tries = [
      'curl -m 2 http://HERE/',
      'wget -T 2 -t 1 -O - http://HERE/',
      'exec 3<>/dev/tcp/127.0.0.1/PORT && echo >&3',
      'python3 -c "import socket; socket.create_connection((\'127.0.0.1\', PORT), 2)"',
    ]
    for (const each of tries) await sh(sandbox, each.replaceAll('HERE', `127.0.0.1:${server.port}`).replaceAll('PORT', String(server.port)))
    expect(server.connections()).toBe(0)
    await new Promise((resolve) => connect(server.port, '127.0.0.1').on('connect', resolve))
    expect(server.connections()).toBe(1)
  })
}

async function countConnections(): Promise<{ port: number; connections(): number; [Symbol.asyncDispose](): Promise<void> }> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => sockets.size,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
