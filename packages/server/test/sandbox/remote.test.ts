/** The drivers over hosted services: what they ask for, and what they make of what goes wrong there. What they do alike: drivers.test.ts. */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import type { SandboxDriver } from '../../src/sandbox/driver.ts'
import { e2bService } from '../../src/sandbox/drivers/remote/e2b.ts'
import { remoteDriver } from '../../src/sandbox/drivers/remote/remote.ts'
import { packTar } from '../../src/sandbox/drivers/remote/tar.ts'
import { vercelService } from '../../src/sandbox/drivers/remote/vercel.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import { type FakeE2b, startFakeE2b } from '../support/fake-e2b.ts'
import { modes } from '../support/sandbox-modes.ts'
import { failureOf, sh } from '../support/sandbox-suite.ts'

const whyNot = modes.every(({ whyNot }) => whyNot !== undefined) ? 'the service of the tests runs machines by bubblewrap, which does not work here' : undefined
if (whyNot) process.stderr.write(`SKIPPED: the sandbox e2b: ${whyNot}.\n`)

type Bed = { service: FakeE2b; driver: SandboxDriver; root: Root; [Symbol.asyncDispose](): Promise<void> }
async function startBed(key = 'e2b_key', idleMs = 60_000): Promise<Bed> {
  const service = await startFakeE2b()
  const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-remote-')))
  const driver = remoteDriver({ service: e2bService({ url: service.url, sandboxUrl: service.url, key, template: 'mine' }), root, log: silentLog, idleMs })
  return {
    ...{ service, driver, root },
    async [Symbol.asyncDispose]() {
      await driver.stop()
      await service[Symbol.asyncDispose]()
      root.release()
      rmSync(root.path, { recursive: true })
    },
  }
}

test('archives are those that tar reads: long names, any letters, folders, links, modes', () => {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-tar-'))
  const long = `${'deep/'.repeat(40)}ü☃ name`
  const bytes = Buffer.from(Array.from({ length: 1_337 }, (_, i) => i % 256))
  const archive = packTar([
    { type: 'directory', path: 'made', mode: 0o755 },
    { type: 'file', path: 'made/run.sh', mode: 0o755, bytes: Buffer.from('echo ran') },
    { type: 'file', path: long, mode: 0o600, bytes },
    { type: 'file', path: '-rf', mode: 0o644, bytes: Buffer.alloc(0) },
    { type: 'link', path: 'link', target: 'x'.repeat(150) },
  ])
  execFileSync('tar', ['-x', '-C', folder], { input: archive })
  expect(readFileSync(join(folder, long))).toEqual(bytes)
  expect(execFileSync(join(folder, 'made/run.sh'), { shell: true }).toString()).toBe('ran\n')
  expect(execFileSync('readlink', [join(folder, 'link')]).toString()).toBe(`${'x'.repeat(150)}\n`)
  expect(readdirSync(folder).toSorted()).toEqual(['-rf', 'deep', 'link', 'made'])
  rmSync(folder, { recursive: true })
})

describe.skipIf(whyNot)('e2b', () => {
  test('a machine may reach nothing, is paused when nobody uses it, and is found again by its name', async () => {
    await using bed = await startBed('e2b_key', 50)
    const sandbox = await bed.driver.create({ id: 'one' })
    const [machine] = bed.service.machines.values()
    expect(machine?.body).toEqual({
      ...{ templateID: 'mine', timeout: 3_600, autoPause: true, allow_internet_access: false },
      metadata: { longhaul: expect.stringMatching(/^longhaul-[0-9a-f]{40}$/) },
    })
    await sh(sandbox, 'echo kept > note')
    await expect.poll(() => machine?.state).toBe('paused')
    expect((await sh(sandbox, 'cat note')).stdout).toBe('kept\n')
    expect(bed.service.machines.size).toBe(1)
    await sandbox.destroy()
    expect(bed.service.machines.size).toBe(0)
  })

  test('a machine that was lost is made anew, with its seed; one that was half made is thrown away', async () => {
    await using bed = await startBed()
    const seed = join(bed.root.path, '.seed')
    mkdirSync(seed)
    writeFileSync(join(seed, 'planted'), 'seed')
    const sandbox = await bed.driver.create({ id: 'one', seed })
    await sh(sandbox, 'echo own > own')
    bed.service.machines.clear()
    expect((await sh(sandbox, 'ls')).stdout).toBe('planted\n')
    await sh(sandbox, 'echo half > half')
    await sandbox.stop()
    rmSync(join(bed.root.folderOf('one'), 'remote.json')) // As if the server had been killed before the seed was laid out.
    expect((await sh(await bed.driver.create({ id: 'one', seed }), 'ls')).stdout).toBe('planted\n')
    expect(bed.service.machines.size).toBe(1)
  })

  test('the probe says what a machine of theirs lacks, and names the setting that is wrong', async () => {
    await using good = await startBed()
    expect(await good.driver.probe()).toMatchObject({ driver: 'e2b', kernel: 'own', isUsable: true, gaps: ['memory', 'disk', 'processes'] })
    expect(good.service.machines.size).toBe(0)
    await using bad = await startBed('wrong')
    expect(await bad.driver.probe()).toMatchObject({
      isUsable: false,
      missing: [{ what: expect.stringContaining('Invalid API key'), remedy: expect.stringContaining('LONGHAUL_SANDBOX_E2B_') }],
    })
    const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-remote-')))
    const away = remoteDriver({ service: vercelService({ url: 'http://127.0.0.1:9', token: 'x' }), root, log: silentLog })
    expect(await away.probe()).toMatchObject({ driver: 'vercel', isUsable: false, missing: [{ what: expect.stringContaining('Vercel does not answer') }] })
    rmSync(root.path, { recursive: true })
  })

  test('a command whose answer is lost is never run again: that its outcome is not known is an error, and not one to try again after', async () => {
    await using bed = await startBed()
    const sandbox = await bed.driver.create({ id: 'one' })
    bed.service.losesAnswer = true
    expect(await failureOf(sh(sandbox, 'echo ran >> ran'))).toMatchObject({ code: 'interrupted', retryable: false, message: expect.stringContaining('502') })
    expect((await sh(sandbox, 'cat ran')).stdout).toBe('ran\n')
  })

  test('what a command left running is ended at its time-out, whatever its parent', async () => {
    await using bed = await startBed()
    const sandbox = await bed.driver.create({ id: 'one' })
    const late = await sh(sandbox, '(setsid sh -c "sleep 3; echo late > late" &); sleep 60', { timeoutMs: 500 })
    expect(late).toMatchObject({ isTimedOut: true, exitCode: null })
    expect((await sh(sandbox, 'sleep 3; ls')).stdout).toBe('')
  })
})

test('a session of Vercel’s that would end before a command is put off, once; what refuses that is asked to run it all the same', async () => {
  const asked: [path: string, body: unknown][] = []
  const session = { id: 's1', status: 'running', startedAt: Date.now(), timeout: 300_000 }
  let mayPutOff = true
  const server = createServer(async (request, response) => {
    const body = JSON.parse((await text(request)) || 'null') as { duration?: number }
    const path = new URL(request.url ?? '', 'http://vercel').pathname
    asked.push([path, body])
    if (path.endsWith('/cmd')) return void response.end(`${JSON.stringify({ command: { id: 'c1', exitCode: 0 } })}\n`)
    if (path.endsWith('/extend-timeout')) {
      response.statusCode = mayPutOff ? 200 : 400
      session.timeout += mayPutOff ? (body.duration ?? 0) : 0
    }
    response.end(JSON.stringify({ session }))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  try {
    const service = vercelService({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, token: 'x' })
    const { box } = await service.open('one')
    const run = (timeoutMs: number) => box.run({ cmd: 'true', args: [], cwd: '/', env: {}, timeoutMs, onOutput() {} }).ended
    const paths = () => asked.splice(0).map(([path]) => path.slice(path.lastIndexOf('/') + 1))
    await run(60_000)
    expect(paths()).toEqual(['one', 'cmd'])
    await run(1_800_000)
    expect(session.startedAt + session.timeout).toBeGreaterThanOrEqual(Date.now() + 1_800_000)
    await run(1_700_000)
    expect(paths()).toEqual(['extend-timeout', 'cmd', 'cmd'])
    mayPutOff = false
    expect(await run(3_600_000)).toEqual({ exitCode: 0 })
    expect(paths()).toEqual(['extend-timeout', 'cmd'])
  } finally {
    server.close()
  }
})
