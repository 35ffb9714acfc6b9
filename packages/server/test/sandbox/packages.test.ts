/** Files of packages that sandboxes of all tenants are given, tried with npm and pip in real sandboxes and registries that speak as real ones do. */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Egress } from '@longhaul/protocol'
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'
import { type World, openWorld } from '../support/egress-world.ts'
import { type BedOptions, type ManagedBed, create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { type PackageHosts, openPackageHosts, packageEnv, packageRules } from '../support/package-hosts.ts'
import { isHere, usableModes } from '../support/sandbox-modes.ts'

const isReal = usableModes().length > 0 && ['npm', 'python3', 'git'].every((program) => isHere(program, 'packages that sandboxes share'))
const tarballPath = '/greeting/-/greeting-1.0.0.tgz'
const tarballUrl = `https://npm.test${tarballPath}`
const wheelPath = '/files/greeting-1.0-py3-none-any.whl'
const registries = { 'npm.test': 'npm' as const, 'pypi.test': 'https://pypi.test/simple/' }

describe.skipIf(!isReal)('files of packages', () => {
  let hosts: PackageHosts
  let world: World
  beforeAll(async () => {
    hosts = openPackageHosts()
    world = await openWorld({}, hosts.serve)
  })
  afterAll(async () => {
    await world[Symbol.asyncDispose]()
    hosts[Symbol.dispose]()
  })
  afterEach(() => {
    hosts.instead = undefined
    world.seen.length = 0
  })

  const open = (more: BedOptions = {}) => openManagedBed({ reach: world.reach, packages: { bytesMax: 4_000_000, registries }, ...more })
  const keptIn = (bed: ManagedBed) => readdirSync(join(bed.folder, 'packages')).filter((name) => /^[0-9a-f]{64}$/.test(name))
  /** Nothing is being looked at any more, and so much was kept. */
  const hasKept = (bed: ManagedBed, count: number) =>
    vi.waitFor(() => expect([keptIn(bed).length, readdirSync(join(bed.folder, 'packages')).length]).toEqual([count, count]), 10_000)
  const askedFor = (path: string) => world.seen.filter(({ url }) => url === path).length
  /** A sandbox of a tenant of its own. */
  async function enter(bed: ManagedBed, rules: Egress['rules'] = packageRules, limits = { bytesMax: 5_000_000, requestsMax: 200 }) {
    const caller = makeCaller(`tenant-${Math.random().toString(36).slice(2)}`)
    const { id } = await create(bed, caller, { egress: { rules, ...limits }, env: packageEnv })
    return { caller, id, run: async (text: string) => (await script(bed, caller, id, text, 60_000)).stdout.trim() }
  }
  const fetchTarball = (more = '') => `curl -sS ${more} -o got.tgz -w '%{http_code}' ${tarballUrl}; sha512sum < got.tgz | cut -c1-20`
  const tarballSum = () => createHash('sha512').update(readFileSync(hosts.files[1]!)).digest('hex').slice(0, 20)

  test('what one tenant installed with npm and pip another is given without its registry, and each attempt is in its record', async () => {
    await using bed = await open()
    const install = `npm install --silent greeting && node -p "require('greeting')" && /usr/bin/python3 -m pip install -q --target lib greeting 2>/dev/null; PYTHONPATH=lib /usr/bin/python3 -c 'import greeting; print(greeting.text)'`
    const first = await enter(bed)
    expect(await first.run(install)).toBe('hello from npm\nhello from pip')
    await hasKept(bed, 2)
    expect([askedFor(tarballPath), askedFor(wheelPath)]).toEqual([1, 1])
    const second = await enter(bed)
    const lock = JSON.parse(await first.run('cat package-lock.json')) as { packages: Record<string, { resolved?: string }> }
    expect(lock.packages['node_modules/greeting']?.resolved).toBe(tarballUrl)
    await bed.service.files(second.caller, second.id, {
      action: 'write',
      files: [
        { path: 'package.json', base64: Buffer.from('{"dependencies":{"greeting":"^1.0.0"}}').toString('base64') },
        { path: 'package-lock.json', base64: Buffer.from(JSON.stringify(lock)).toString('base64') },
      ],
    })
    expect(await second.run(install.replace('npm install --silent greeting', 'npm ci --silent'))).toBe('hello from npm\nhello from pip')
    expect([askedFor(tarballPath), askedFor(wheelPath)]).toEqual([1, 1])
    await vi.waitFor(async () => {
      const rows = (await bed.service.connections(second.caller, second.id, { limit: 50 })).items
      expect(rows.find(({ path }) => path === tarballPath)).toMatchObject({ verdict: 'allowed', status: 200, method: 'GET', host: 'npm.test' })
      expect(rows.find(({ path }) => path === tarballPath)?.bytesIn).toBe(readFileSync(hosts.files[1]!).length)
    }, 10_000)
    // Rules count for what is kept as for everything else.
    const closed = await enter(bed, [{ host: 'npm.test', methods: ['GET'], paths: ['/other/*'] }])
    expect(await closed.run(`curl -sS -o /dev/null -w '%{http_code}' ${tarballUrl}`)).toBe('403')
  })

  test('nothing is kept that is not what its registry states, whoever sent it, nor what only began to come', async () => {
    await using bed = await open()
    const sandbox = await enter(bed)
    hosts.instead = Buffer.from('not the package')
    expect(await sandbox.run(`curl -sS ${tarballUrl}`)).toBe('not the package')
    await vi.waitFor(() => expect(askedFor('/greeting/1.0.0')).toBe(1), 10_000) // It was looked at.
    await hasKept(bed, 0)
    hosts.instead = undefined
    expect(await sandbox.run(fetchTarball())).toBe(`200${tarballSum()}`)
    await hasKept(bed, 1)
    // A file that no registry names.
    expect(await sandbox.run(`curl -sS -o /dev/null -w '%{http_code}' https://npm.test/greeting/-/greeting-2.0.0.tgz`)).toBe('404')
    // One whose receiver goes away in the middle.
    hosts.instead = Buffer.alloc(900_000, 'x')
    await sandbox.run(`curl -sS --limit-rate 10k -m 1 https://pypi.test${wheelPath} | head -c 10`)
    await hasKept(bed, 1)
  })

  test('whoever says who is asking, has a credential put in, or asks for a part is given an answer of his own, and nobody else is given that', async () => {
    await using bed = await open()
    const named = await enter(bed, [{ host: 'npm.test', methods: ['GET'], credential: { header: 'x-key', value: 'mine' } }])
    expect(await named.run(fetchTarball())).toBe(`200${tarballSum()}`)
    const plain = await enter(bed, [{ host: 'npm.test', methods: ['GET'] }])
    for (const header of ['Authorization: Bearer x', 'Cookie: a=b', 'X-Api-Key: x', 'Private-Token: x', 'Range: bytes=0-'])
      expect(await plain.run(fetchTarball(`-H '${header}'`))).toBe(`200${tarballSum()}`)
    expect(await plain.run(`curl -sS -o /dev/null -w '%{http_code}' '${tarballUrl}?x=1'`)).toBe('200')
    expect(await plain.run(`curl -sS -o /dev/null -w '%{http_code}' ${tarballUrl.replace('https', 'http')}`)).toBe('200')
    await hasKept(bed, 0)
    expect(await plain.run(fetchTarball())).toBe(`200${tarballSum()}`)
    await hasKept(bed, 1)
    // The registry is asked in nobody's name.
    expect(world.seen.filter(({ url }) => url === '/greeting/1.0.0').map(({ headers }) => Object.keys(headers).sort())).toEqual([
      ['accept', 'connection', 'host', 'user-agent'],
    ])
    const before = askedFor(tarballPath)
    await named.run(fetchTarball())
    expect(world.seen.at(-1)).toMatchObject({ url: tarballPath, headers: { 'x-key': 'mine' } })
    await plain.run(fetchTarball("-H 'Authorization: Bearer x'"))
    expect(askedFor(tarballPath)).toBe(before + 2)
    await plain.run(fetchTarball())
    expect(askedFor(tarballPath)).toBe(before + 2)
  })

  test('a tunnel is not read, so nothing of it is kept; without the setting nothing is', async () => {
    await using bed = await open()
    const tunnelled = await enter(bed, [{ host: 'npm.test' }])
    expect(await tunnelled.run(fetchTarball('-k'))).toBe(`200${tarballSum()}`)
    await hasKept(bed, 0)
    await using off = await openManagedBed({ reach: world.reach })
    const sandbox = await enter(off)
    for (const _ of [1, 2]) expect(await sandbox.run(fetchTarball())).toBe(`200${tarballSum()}`)
    expect(askedFor(tarballPath)).toBe(3)
    expect(existsSync(join(off.folder, 'packages'))).toBe(false)
  })

  test('what is kept outlives a restart, for a day after its registry stated it; what was coming does not', async () => {
    await using bed = await open()
    const first = await enter(bed)
    await first.run(fetchTarball())
    await hasKept(bed, 1)
    const [name] = keptIn(bed)
    writeFileSync(join(bed.folder, 'packages', 'half.coming'), 'half')
    await bed.restart()
    await hasKept(bed, 1)
    const again = await enter(bed)
    expect(await again.run(fetchTarball())).toBe(`200${tarballSum()}`)
    expect(askedFor(tarballPath)).toBe(1)
    const old = Date.now() / 1_000 - 25 * 3_600
    utimesSync(join(bed.folder, 'packages', name!), old, old)
    await bed.restart()
    const later = await enter(bed)
    expect(await later.run(fetchTarball())).toBe(`200${tarballSum()}`)
    await vi.waitFor(() => expect([askedFor(tarballPath), askedFor('/greeting/1.0.0')]).toEqual([2, 2]), 10_000)
    await vi.waitFor(async () => {
      await later.run(fetchTarball())
      expect(world.seen.at(-1)?.url).not.toBe(tarballPath)
    }, 10_000)
  })

  test('what is kept is bounded, and counts towards a sandbox’s own limits as if it came from afar', async () => {
    const size = readFileSync(hosts.files[1]!).length
    await using small = await open({ packages: { bytesMax: size * 3, registries } }) // No file may be larger than a quarter.
    const sandbox = await enter(small)
    expect(await sandbox.run(fetchTarball())).toBe(`200${tarballSum()}`)
    await hasKept(small, 0)
    // Room for one of the two: the one that was not used for longest goes.
    const both = Math.max(...hosts.files.map((path) => readFileSync(path).length))
    await using narrow = await open({ packages: { bytesMax: both * 4, registries: { ...registries } } })
    const filler = 'f'.repeat(64)
    await narrow.restart()
    writeFileSync(join(narrow.folder, 'packages', filler), Buffer.alloc(both * 3))
    await narrow.restart()
    expect(keptIn(narrow)).toEqual([filler])
    const another = await enter(narrow)
    expect(await another.run(fetchTarball())).toBe(`200${tarballSum()}`)
    await hasKept(narrow, 1)
    expect(keptIn(narrow)).not.toEqual([filler])
    // A sandbox that may move less than the file.
    const poor = await enter(narrow, packageRules, { bytesMax: size - 1, requestsMax: 5 })
    expect(await poor.run(`curl -sS -o got.tgz ${tarballUrl} 2>/dev/null || echo cut`)).toBe('cut')
    const rich = await enter(narrow, packageRules, { bytesMax: size + 10_000, requestsMax: 1 })
    expect(await rich.run(fetchTarball())).toBe(`200${tarballSum()}`)
    expect(await rich.run(`curl -sS -o /dev/null -w '%{http_code}' ${tarballUrl}`)).toBe('429')
  })
})
