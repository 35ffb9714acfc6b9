import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { createLog, silentLog } from '../kernel/index.ts'
import type { Capabilities, Sandbox, SandboxDriver } from './driver.ts'
import { chooseDriver, openSandboxes, shareSandboxes } from './sandboxes.ts'

const never = new AbortController().signal
const owner = { tenantId: 'acme' }

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'longhaul-sandboxes-'))
  onTestFinished(() => rmSync(path, { recursive: true, force: true }))
  return path
}

const here = { folderOf: (id: string) => `/nowhere/${id}`, home: 'here', release: () => {} }
type Fake = SandboxDriver & { calls: string[] }
const capabilitiesOf = (driver: string, kernel: Capabilities['kernel'] = 'shared'): Capabilities => ({
  ...{ driver, kernel, isUsable: true, enforced: [], missing: [], gaps: [], languages: [] },
})

function fakeDriver(name: string, isUsable: boolean, create: SandboxDriver['create'] = () => Promise.reject(new Error('not here'))): Fake {
  const calls: string[] = []
  const missing = isUsable ? [] : [{ what: `${name}'s tool`, remedy: `apt-get install ${name}` }]
  const capabilities: Capabilities = { ...capabilitiesOf(name), isUsable, missing }
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

function fakeSandbox(driver = 'fake', note: (what: string) => void = () => {}): Sandbox {
  return {
    driver,
    exec: () => Promise.reject(new Error('not here')),
    files: () => Promise.reject(new Error('not here')),
    stats: () => Promise.reject(new Error('not here')),
    stop: async () => note(`${driver} stopped`),
    destroy: () => Promise.resolve(),
  }
}

test('auto takes bubblewrap where it works', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', true), fakeDriver('virtual', true)]
  const { driver } = await chooseDriver('auto', (name) => (name === 'bwrap' ? bwrap : virtual), silentLog)
  expect(driver).toBe(bwrap)
  expect([bwrap.calls, virtual.calls]).toEqual([['probe'], []])
})

test('auto falls back to the virtual shell, and says what real sandboxes would need', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', false), fakeDriver('virtual', true)]
  const warnings: string[] = []
  const log = createLog((level, message) => void warnings.push(`${level}: ${message}`))
  const { driver, capabilities } = await chooseDriver('auto', (name) => (name === 'bwrap' ? bwrap : virtual), log)
  expect(driver).toBe(virtual)
  expect(bwrap.calls).toEqual(['probe', 'stop'])
  expect(capabilities).toMatchObject({ driver: 'virtual', missing: [{ remedy: 'apt-get install bwrap' }] })
  expect(warnings).toHaveLength(1)
})

test('bubblewrap that was asked for and cannot work is an error with the remedy, never a fallback', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', false), fakeDriver('virtual', true)]
  await expect(chooseDriver('bwrap', (name) => (name === 'bwrap' ? bwrap : virtual), silentLog)).rejects.toThrow(/bwrap's tool[^]*apt-get install bwrap/)
  expect(virtual.calls).toEqual([])
})

test('gVisor that was asked for is taken, or is an error: never another, whose kernel would be the host’s', async () => {
  const [bwrap, virtual] = [fakeDriver('bwrap', true), fakeDriver('virtual', true)]
  const choose = (gvisor: ReturnType<typeof fakeDriver>) =>
    chooseDriver('gvisor', (name) => (name === 'bwrap' ? bwrap : name === 'gvisor' ? gvisor : virtual), silentLog)
  const works = fakeDriver('gvisor', true)
  expect((await choose(works)).driver).toBe(works)
  await expect(choose(fakeDriver('gvisor', false))).rejects.toThrow(/driver gvisor cannot work here/)
  expect([bwrap.calls, virtual.calls]).toEqual([[], []])
})

test('callers at once share one sandbox; after its end there is a new one', async () => {
  let created = 0
  const driver = fakeDriver('fake', true, () => Promise.resolve((created++, fakeSandbox())))
  const sandboxes = shareSandboxes([{ driver, capabilities: capabilitiesOf('fake') }], here)
  const [first, second] = await Promise.all([sandboxes.open('a', { owner }), sandboxes.open('a', { owner })])
  expect(first).toBe(second)
  expect(created).toBe(1)
  await first.destroy()
  expect(await sandboxes.open('a', { owner })).not.toBe(first)
  expect(created).toBe(2)
  await sandboxes.stop()
  await expect(sandboxes.open('a', { owner })).rejects.toMatchObject({ code: 'unavailable' })
})

test('a failed creation is not remembered', async () => {
  let isBroken = true
  const create = () => (isBroken ? Promise.reject(new Error('broken')) : Promise.resolve(fakeSandbox()))
  const sandboxes = shareSandboxes([{ driver: fakeDriver('fake', true, create), capabilities: capabilitiesOf('fake') }], here)
  await expect(sandboxes.open('a', { owner })).rejects.toThrow('broken')
  isBroken = false
  await sandboxes.open('a', { owner })
})

test('a sandbox whose driver is forbidden meanwhile is stopped, and made anew where it may run', async () => {
  const events: string[] = []
  const made = (name: string) => fakeDriver(name, true, async () => (events.push(`${name} made`), fakeSandbox(name, (what) => events.push(what))))
  let sharesKernel = true
  const sandboxes = shareSandboxes(
    [
      { driver: made('bwrap'), capabilities: capabilitiesOf('bwrap') },
      { driver: made('gvisor'), capabilities: capabilitiesOf('gvisor', 'own') },
    ],
    here,
    async () => ({ tenant: {}, namespace: {}, sharesKernel }),
  )
  expect((await sandboxes.open('a', { owner })).driver).toBe('bwrap')
  sharesKernel = false
  expect((await sandboxes.open('a', { owner })).driver).toBe('gvisor')
  sharesKernel = true // It may stay where it is.
  expect((await sandboxes.open('a', { owner })).driver).toBe('gvisor')
  expect(events).toEqual(['bwrap made', 'bwrap stopped', 'gvisor made'])
  await expect(sandboxes.open('b', { owner, wanted: 'virtual' })).rejects.toMatchObject({ code: 'not_offered' })
})

test('the virtual shell works from end to end, and its workspace outlives the server', async () => {
  const root = join(folder(), 'sandboxes')
  const seed = folder()
  mkdirSync(join(seed, 'models'))
  writeFileSync(join(seed, 'models/arr.json'), '{"metric":"arr","tags":["money"]}')
  const first = await openSandboxes({ driver: 'virtual', root, log: silentLog, accept: ['cpu'] })
  expect(first.capabilities).toMatchObject({ driver: 'virtual', isUsable: true, languages: ['sh'] })
  await expect(openSandboxes({ driver: 'virtual', root, log: silentLog, accept: ['cpu'] })).rejects.toMatchObject({ code: 'conflict' })
  const sandbox = await first.open('run-1', { owner, seed })
  const { stdout } = await sandbox.exec({ script: 'jq -r .tags[0] models/arr.json | tee found', timeoutMs: 10_000 }, { signal: never })
  expect(stdout).toBe('money\n')
  await first.stop()
  const second = await openSandboxes({ driver: 'virtual', root, log: silentLog, accept: ['cpu'] })
  expect((await (await second.open('run-1', { owner, seed })).exec({ script: 'cat found', timeoutMs: 10_000 }, { signal: never })).stdout).toBe('money\n')
  await second.stop()
})

test('an image is run by a driver that takes them, and refused by any other', async () => {
  const image = async () => Promise.reject(new Error('Nobody opens it here.'))
  const asked: unknown[] = []
  const takesImages = { ...fakeDriver('bwrap', true, async (options) => (asked.push(options.image), fakeSandbox())), takesImages: true }
  const of = (driver: SandboxDriver) => shareSandboxes([{ driver, capabilities: capabilitiesOf(driver.name) }], here)
  await expect(of(fakeDriver('gvisor', true)).open('a', { owner, image })).rejects.toThrow('cannot run images')
  await of(takesImages).open('a', { owner, image })
  expect(asked).toEqual([image])
})
