import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createLog, silentLog } from '../kernel/index.ts'
import type { Capabilities, Sandbox, SandboxDriver } from './driver.ts'
import { chooseDriver, openSandboxes, shareSandboxes } from './sandboxes.ts'

const never = new AbortController().signal

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'longhaul-sandboxes-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

type Fake = SandboxDriver & { calls: string[] }
function fakeDriver(name: string, isUsable: boolean, create: SandboxDriver['create'] = () => Promise.reject(new Error('not here'))): Fake {
  const calls: string[] = []
  const missing = isUsable ? [] : [{ what: `${name}'s tool`, remedy: `apt-get install ${name}` }]
  const capabilities: Capabilities = { driver: name, isUsable, enforced: [], missing, gaps: [], languages: [] }
  const note = <Result>(call: string, result: Result) => (calls.push(call), Promise.resolve(result))
  return {
    name,
    calls,
    probe: () => note('probe', capabilities),
    sweep: () => note('sweep', undefined),
    stop: () => note('stop', undefined),
    remove: () => note('remove', undefined),
    create,
  }
}

function fakeSandbox(): Sandbox {
  return {
    driver: 'fake',
    exec: () => Promise.reject(new Error('not here')),
    files: () => Promise.reject(new Error('not here')),
    stats: () => Promise.reject(new Error('not here')),
    stop: () => Promise.resolve(),
    destroy: () => Promise.resolve(),
  }
}

test('auto takes bubblewrap where it works, and sweeps before anything else', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', true), fakeDriver('virtual', true)]
  const { driver } = await chooseDriver('auto', { bwrap: () => bwrap, gvisor: () => virtual, virtual: () => virtual, log: silentLog })
  expect(driver).toBe(bwrap)
  expect([bwrap.calls, virtual.calls]).toEqual([['probe', 'sweep'], []])
})

test('auto falls back to the virtual shell, and says what real sandboxes would need', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', false), fakeDriver('virtual', true)]
  const warnings: string[] = []
  const log = createLog((level, message) => void warnings.push(`${level}: ${message}`))
  const { driver, capabilities } = await chooseDriver('auto', { bwrap: () => bwrap, gvisor: () => virtual, virtual: () => virtual, log })
  expect(driver).toBe(virtual)
  expect(bwrap.calls).toEqual(['probe', 'stop'])
  expect(capabilities).toMatchObject({ driver: 'virtual', missing: [{ remedy: 'apt-get install bwrap' }] })
  expect(warnings).toHaveLength(1)
})

test('bubblewrap that was asked for and cannot work is an error with the remedy, never a fallback', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', false), fakeDriver('virtual', true)]
  await expect(chooseDriver('bwrap', { bwrap: () => bwrap, gvisor: () => virtual, virtual: () => virtual, log: silentLog })).rejects.toThrow(
    /bwrap's tool[^]*apt-get install bwrap/,
  )
  expect(virtual.calls).toEqual([])
})

test('gVisor that was asked for is taken, or is an error: never another, whose kernel would be the host’s', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', true), fakeDriver('virtual', true)]
  const choose = (gvisor: ReturnType<typeof fakeDriver>) =>
    chooseDriver('gvisor', { bwrap: () => bwrap, gvisor: () => gvisor, virtual: () => virtual, log: silentLog })
  const works = fakeDriver('gvisor', true)
  expect((await choose(works)).driver).toBe(works)
  await expect(choose(fakeDriver('gvisor', false))).rejects.toThrow(/driver gvisor cannot work here/)
  expect([bwrap.calls, virtual.calls]).toEqual([[], []])
})

test('callers at once share one sandbox; after its end there is a new one', async () => {
  let created = 0
  const sandboxes = shareSandboxes(
    fakeDriver('fake', true, () => Promise.resolve((created++, fakeSandbox()))),
    { driver: 'fake', isUsable: true, enforced: [], missing: [], gaps: [], languages: [] },
    { home: 'here', release: () => {}, folderOf: (id) => `/nowhere/${id}` },
  )
  const [first, second] = await Promise.all([sandboxes.open('a'), sandboxes.open('a')])
  expect(first).toBe(second)
  expect(created).toBe(1)
  await first.destroy()
  expect(await sandboxes.open('a')).not.toBe(first)
  expect(created).toBe(2)
  await sandboxes.stop()
  await expect(sandboxes.open('a')).rejects.toMatchObject({ code: 'unavailable' })
})

test('a failed creation is not remembered', async () => {
  let isBroken = true
  const create = () => (isBroken ? Promise.reject(new Error('broken')) : Promise.resolve(fakeSandbox()))
  const sandboxes = shareSandboxes(
    fakeDriver('fake', true, create),
    { driver: 'fake', isUsable: true, enforced: [], missing: [], gaps: [], languages: [] },
    { home: 'here', release: () => {}, folderOf: (id) => `/nowhere/${id}` },
  )
  await expect(sandboxes.open('a')).rejects.toThrow('broken')
  isBroken = false
  await sandboxes.open('a')
})

test('the virtual shell works from end to end, and its workspace outlives the server', async () => {
  const root = join(folder(), 'sandboxes')
  const seed = folder()
  mkdirSync(join(seed, 'models'))
  writeFileSync(join(seed, 'models/arr.json'), '{"metric":"arr","tags":["money"]}')
  const first = await openSandboxes({ driver: 'virtual', root, log: silentLog, accept: ['cpu'] })
  expect(first.capabilities).toMatchObject({ driver: 'virtual', isUsable: true, languages: ['sh'] })
  await expect(openSandboxes({ driver: 'virtual', root, log: silentLog, accept: ['cpu'] })).rejects.toMatchObject({ code: 'conflict' })
  const sandbox = await first.open('run-1', seed)
  const { stdout } = await sandbox.exec({ script: 'jq -r .tags[0] models/arr.json | tee found', timeoutMs: 10_000 }, { signal: never })
  expect(stdout).toBe('money\n')
  await first.stop()
  const second = await openSandboxes({ driver: 'virtual', root, log: silentLog, accept: ['cpu'] })
  expect((await (await second.open('run-1', seed)).exec({ script: 'cat found', timeoutMs: 10_000 }, { signal: never })).stdout).toBe('money\n')
  await second.stop()
})
