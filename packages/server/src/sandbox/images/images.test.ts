/** Images as hostile archives would have them, each beside the same without the offence. */
import { existsSync, lstatSync, mkdtempSync, readFileSync, readlinkSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { gunzipSync, gzipSync, zstdCompressSync } from 'node:zlib'
import { afterAll, describe, expect, test } from 'vitest'
import { type Entry, type ImageParts, imageArchive, savedArchive, tarOf, writeImageFolder } from '../../../test/support/image.ts'
import { startFakeRegistry } from '../../../test/support/fake-registry.ts'
import { silentLog } from '../../kernel/index.ts'
import { openImages } from './images.ts'
import type { Registries } from './registry.ts'

const home = mkdtempSync(join(tmpdir(), 'longhaul-images-'))
afterAll(() => rmSync(home, { recursive: true }))
let count = 0
const newPath = () => join(home, String(++count))
const images = (bytesMax = 10_000_000) => openImages({ folder: newPath(), bytesMax, log: silentLog })
const saved = (bytes: Uint8Array) => {
  const path = newPath()
  writeFileSync(path, bytes)
  return path
}
const at = (path: string) => ({ folder: dirname(path), image: basename(path) })
const openedFrom = (bytes: Uint8Array, bytesMax?: number) => images(bytesMax).open('t', at(saved(bytes)))
const rootOf = async (...layers: (Entry[] | Buffer)[]) => (await openedFrom(imageArchive({ layers }))).root.folder
const read = (root: string, path: string) => readFileSync(join(root, path), 'utf8')
const refusal = (image: Promise<unknown>) =>
  image.then(
    () => 'it was taken',
    (error: Error) => error.message,
  )
const plain: Entry[] = [{ path: 'bin/app', content: 'one', mode: 0o755 }]

describe('what is taken', () => {
  const parts: ImageParts = {
    layers: [plain, [{ path: 'etc/passwd', content: 'app:x:4321:4322::/home/app:/bin/sh\n' }]],
    config: { User: 'app', Env: ['A=1', 'B=x=y', 'none'], Entrypoint: ['/bin/app'], Cmd: ['serve'], WorkingDir: '/srv/app' },
  }
  const start = { entrypoint: ['/bin/app'], cmd: ['serve'], workingDir: '/srv/app', root: { env: { A: '1', B: 'x=y' }, uid: 4321, gid: 4322 } }
  const kinds: [string, () => Promise<string> | string][] = [
    ['an archive of the OCI', () => saved(imageArchive(parts))],
    ['layers compressed by gzip', () => saved(imageArchive({ ...parts, compress: gzipSync, layerType: 'application/vnd.oci.image.layer.v1.tar+gzip' }))],
    [
      'layers compressed by zstd',
      () => saved(imageArchive({ ...parts, compress: zstdCompressSync, layerType: 'application/vnd.oci.image.layer.v1.tar+zstd' })),
    ],
    ['what docker save writes', () => saved(savedArchive(parts))],
    [
      'a folder',
      async () => {
        const folder = newPath()
        await writeImageFolder(parts, folder)
        return folder
      },
    ],
  ]
  test.each(kinds)('%s', async (_, make) => {
    const image = await images().open('t', at(await make()))
    expect(image).toMatchObject(start)
    const root = image.root.folder
    expect(read(root, 'bin/app')).toBe('one')
    expect(statSync(join(root, 'bin/app')).mode & 0o7777).toBe(0o555)
    expect(statSync(join(root, 'srv/app')).isDirectory()).toBe(true) // Where it is to start, it can.
    expect(readdirSync(join(root, '..')).toSorted()).toEqual(['root', 'start.json'])
  })

  test('a later layer replaces, whites out and makes opaque what earlier ones had, and nothing of its own', async () => {
    const root = await rootOf(
      [
        { path: 'a/old', content: 'old' },
        { path: 'a/gone', content: 'gone' },
        { path: 'b/old', content: 'old' },
        { path: 'b/c/old', content: 'old' },
        { path: 'file', content: 'file' },
      ],
      [
        { path: 'a/.wh.gone' },
        { path: 'a/old', content: 'new' },
        { path: 'b/new', content: 'new' }, // Before the marker, which is of earlier layers alone.
        { path: 'b/.wh..wh..opq' },
        { path: '.wh.nowhere' },
        { path: 'file/below', content: 'below' },
      ],
    )
    expect(readdirSync(join(root, 'a'))).toEqual(['old'])
    expect(read(root, 'a/old')).toBe('new')
    expect(readdirSync(join(root, 'b'))).toEqual(['new'])
    expect(read(root, 'file/below')).toBe('below')
  })

  test('of entries with one name the last counts, and hard links are one file', async () => {
    const root = await rootOf([
      { path: 'twice', content: 'first' },
      { path: 'linked', type: '1', target: 'twice' },
      { path: './twice', content: 'second' },
    ])
    expect([read(root, 'twice'), read(root, 'linked')]).toEqual(['second', 'first'])
    const same = await rootOf([
      { path: 'one', content: 'same' },
      { path: 'two', type: '1', target: 'one' },
    ])
    expect(statSync(join(same, 'one')).ino).toBe(statSync(join(same, 'two')).ino)
  })

  test('names of any length, and rights that are no more than to read and execute', async () => {
    const long = `${'long/'.repeat(60)}file`
    const record = (words: string) => `${words.length + 5} ${words}\n`
    const root = await rootOf([
      { path: 'x', type: 'x', content: record(`path=${long}`) },
      { path: 'cut', content: 'pax' },
      { path: 'L', type: 'L', content: `${long}-gnu\0` },
      { path: 'cut', content: 'gnu' },
      { path: 'suid', content: 's', mode: 0o6755 },
      { path: 'secret', content: 's', mode: 0o600 },
    ])
    expect([read(root, long), read(root, `${long}-gnu`)]).toEqual(['pax', 'gnu'])
    expect(statSync(join(root, 'suid')).mode & 0o7777).toBe(0o555)
    expect(statSync(join(root, 'secret')).mode & 0o7777).toBe(0o444)
  })

  test('an environment that the agent could not be told is refused', async () => {
    const withEnv = (...Env: string[]) => refusal(openedFrom(imageArchive({ layers: [plain], config: { Env } })))
    expect(await withEnv(`A=${'x'.repeat(60_000)}`)).toBe('it was taken')
    expect(await withEnv(`A=${'x'.repeat(60_000)}`, `B=${'x'.repeat(10_000)}`)).toContain('its environment has more than 65536 bytes')
    expect(await withEnv('A=x\0y')).toContain('its environment has U+0000')
  })

  test('nobody is root in there, and what our agent would load is taken out', async () => {
    const image = await openedFrom(imageArchive({ layers: [[...plain, { path: 'etc/ld.so.preload', content: '/lib/evil.so' }]], config: { User: '0:0' } }))
    expect(image.root).toMatchObject({ uid: 1_000, gid: 1_000 })
    expect(existsSync(join(image.root.folder, 'etc/ld.so.preload'))).toBe(false)
    expect(read(image.root.folder, 'etc/passwd')).toContain('sandbox:x:1000:1000')
    expect(read(image.root.folder, 'etc/hosts')).toContain('localhost')
  })

  test('once for each content and tenant, also by many at once', async () => {
    const all = images()
    const path = saved(imageArchive({ layers: [plain] }))
    const [first, second] = await Promise.all([all.open('t', at(path)), all.open('t', at(path))])
    const inode = () => statSync(join(first.root.folder, 'bin/app')).ino
    const before = inode()
    expect(second.root).toEqual(first.root)
    await all.open('t', at(saved(imageArchive({ layers: [plain] }))))
    expect(inode()).toBe(before)
    expect((await all.open('another', at(path))).root.folder).not.toBe(first.root.folder)
  })

  test('a sweep takes what was not used for a month and what was left half done', async () => {
    const folder = newPath()
    const all = openImages({ folder, bytesMax: 1_000_000, log: silentLog })
    const [old, used] = [
      await all.open('t', at(saved(imageArchive({ layers: [plain] })))),
      await all.open('t', at(saved(imageArchive({ layers: [plain, plain] })))),
    ]
    utimesSync(join(old.root.folder, '../start.json'), 1, 1)
    writeFileSync(join(folder, '.draft-1'), '')
    await all.sweep()
    expect([existsSync(old.root.folder), existsSync(used.root.folder), existsSync(join(folder, '.draft-1'))]).toEqual([false, true, false])
  })
})

describe('the root for all', () => {
  const rootOf = async (bytes: Uint8Array) => (await images().holdRoot(saved(bytes))).root
  test('is the tree of a system in an archive, compressed or not, or an image; with what all have in its environment', async () => {
    const one: Entry[] = [
      { path: './', type: '5' },
      { path: './bin/app', content: 'one', mode: 0o755 },
      { path: './dev/null', type: '3' },
    ]
    for (const bytes of [tarOf(one), gzipSync(tarOf(one)), zstdCompressSync(tarOf(one)), imageArchive({ layers: [one] }), savedArchive({ layers: [one] })]) {
      const { folder, uid, env, isOperators } = await rootOf(bytes)
      expect([read(folder, 'bin/app'), uid, isOperators]).toEqual(['one', 1_000, true])
      expect(env).toEqual({ PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/longhaul/bin' })
      expect(read(folder, 'etc/passwd')).toContain('sandbox:x:1000:1000')
    }
    expect((await rootOf(imageArchive({ layers: [one], config: { Env: ['PATH=/mine', 'A=1'] } }))).env).toEqual({ PATH: '/mine:/run/longhaul/bin', A: '1' })
  })

  test('is as suspicious as any image', async () => {
    expect(await refusal(rootOf(tarOf([...plain, { path: '../x', content: 'x' }])))).toContain('leads out of it')
    expect(await refusal(rootOf(tarOf([...plain, { path: 'sda', type: '3' }])))).toContain('a device or pipe')
    expect(await refusal(images(1_000_000).holdRoot(saved(gzipSync(tarOf([{ path: 'a', content: Buffer.alloc(2_000_000) }])))))).toContain('more than 1000000')
  })

  test('of a file that was exchanged meanwhile nothing is taken', async () => {
    const all = images()
    const path = saved(tarOf(plain))
    const holding = all.holdRoot(path)
    await holding
    rmSync(dirname((await holding).root.folder), { recursive: true })
    writeFileSync(path, tarOf([{ path: 'bin/app', content: 'two' }]))
    expect(await refusal(all.holdRoot(path))).toContain('not what its digest says')
  })
})

describe('what a tenant may have', () => {
  const sized = (megabytes: number, name: string) => saved(imageArchive({ layers: [[{ path: name, content: Buffer.alloc(megabytes * 1e6) }]] }))
  const some = (quota: { countMax?: number; bytesMax?: number }) => {
    const folder = newPath()
    const all = openImages({ folder, bytesMax: 10_000_000, quotaOf: async (tenantId) => (tenantId === 'acme' ? quota : {}), log: silentLog })
    return { ...all, take: (path: string, tenantId = 'acme') => all.open(tenantId, at(path)), folder }
  }
  /** As though it had been used so many hours ago. */
  const age = ({ root }: { root: { folder: string } }, hours: number) => {
    const then = new Date(Date.now() - hours * 3_600_000)
    utimesSync(join(dirname(root.folder), 'start.json'), then, then)
  }

  test('one more than it may have is refused with what there is and a remedy; another tenant, and what is there already, are not', async () => {
    const all = some({ countMax: 2 })
    const [a, b, c] = [sized(1, 'a'), sized(1, 'b'), sized(1, 'c')]
    await all.take(a)
    await all.take(b)
    await expect(all.take(c)).rejects.toMatchObject({
      code: 'over_limit',
      message: expect.stringMatching(/acme has 2 images in use on this server, of \d+ bytes; allowed are 2 images\..*longhaul tenants update acme --images/),
    })
    expect(await refusal(all.take(a))).toBe('it was taken')
    expect(await refusal(all.take(c, 'other'))).toBe('it was taken')
    expect(await all.used('acme')).toEqual({ count: 2, bytes: expect.closeTo(2_000_000, -4) })
    expect(await all.used('nobody')).toEqual({ count: 0, bytes: 0 })
    expect(readdirSync(all.folder).filter((name) => name.startsWith('.draft'))).toEqual([])
  })

  test('bytes are counted together, also of many at once, and none is unpacked beyond them', async () => {
    const all = some({ bytesMax: 3_100_000 })
    const taken = await Promise.all(['a', 'b', 'c', 'd', 'e'].map((name) => refusal(all.take(sized(1, name)))))
    expect(taken.filter((said) => said === 'it was taken')).toHaveLength(3)
    expect(taken.filter((said) => said.includes('allowed are 3100000 bytes'))).toHaveLength(2)
    expect((await all.used('acme')).bytes).toBeLessThanOrEqual(3_100_000)
    expect(await refusal(some({ bytesMax: 5_000_000 }).take(sized(12, 'f')))).toContain('allowed are 5000000 bytes')
    expect(await refusal(some({}).take(sized(12, 'f')))).toContain('more than 10000000 bytes') // Its own limit, not the tenant's.
  })

  test('what is held is never deleted, however long ago it was asked for; what is not held any more is', async () => {
    const all = some({ countMax: 1 })
    const held = await all.hold('acme', at(sized(1, 'a')))
    const again = await all.hold('acme', at(sized(1, 'a')))
    age(held, 24 * 40)
    held.release()
    held.release() // Counts once.
    expect(await refusal(all.take(sized(1, 'b')))).toContain('1 images in use')
    await all.sweep()
    expect(existsSync(held.root.folder)).toBe(true)
    again.release()
    await all.take(sized(1, 'b'))
    expect(existsSync(held.root.folder)).toBe(false)
    expect(readdirSync(all.folder).filter((name) => name.startsWith('.draft'))).toEqual([])
  })

  test('what nobody has used for hours gives place, the oldest first and no more than has to; what may be in use does not', async () => {
    const all = some({ countMax: 3, bytesMax: 3_500_000 })
    const kept = [await all.take(sized(1, 'a')), await all.take(sized(1, 'b')), await all.take(sized(1, 'c'))]
    const isThere = () => kept.map(({ root }) => existsSync(root.folder))
    for (const [i, image] of kept.entries()) age(image, [10, 12, 8][i] ?? 0)
    await all.take(sized(1, 'd'))
    expect(isThere()).toEqual([true, false, true])
    await all.take(sized(1, 'e'))
    expect(isThere()).toEqual([false, false, true])
    expect(await refusal(all.take(sized(1, 'f')))).toContain('3 images in use')
    expect(isThere()).toEqual([false, false, true])
  })
})

describe('what would lead out of the root', () => {
  const outside = join(home, 'outside')
  const there = '../../../../outside'

  test.each([
    ['a name with ..', [{ path: `a/${there}`, content: 'x' }]],
    ['a name from the root', [{ path: outside, content: 'x' }]],
    ['a folder with ..', [{ path: '../up', type: '5' }]],
    ['a hard link to what is outside', [{ path: 'a', type: '1', target: '/etc/passwd' }]],
    ['a hard link by ..', [{ path: 'a', type: '1', target: `${there}/x` }]],
    ['a hard link to a folder', [{ path: 'a', type: '1', target: 'bin' }]],
    [
      'a hard link to a link',
      [
        { path: 'l', type: '2', target: '/etc/shadow' },
        { path: 'a', type: '1', target: 'l' },
      ],
    ],
    ['a hard link to what is not there', [{ path: 'a', type: '1', target: 'nowhere' }]],
    [
      'a hard link through a link',
      [
        { path: 'l', type: '2', target: '/etc' },
        { path: 'a', type: '1', target: 'l/shadow' },
      ],
    ],
    ['a whiteout of ..', [{ path: 'a/.wh...', content: '' }]],
    ['a whiteout without a name', [{ path: '.wh.', content: '' }]],
    ['a root that is a file', [{ path: './', content: 'x' }]],
    ['a device', [{ path: 'sda', type: '3' }]],
    ['a pipe', [{ path: 'pipe', type: '6' }]],
    ['an unknown kind', [{ path: 'what', type: 'Z' }]],
    [
      'links in a circle',
      [
        { path: 'a', type: '2', target: 'b' },
        { path: 'b', type: '2', target: 'a' },
        { path: 'a/x', content: 'x' },
      ],
    ],
  ] satisfies [string, Entry[]][])('%s is refused, and nothing of it stays', async (_, entries) => {
    const folder = newPath()
    const all = openImages({ folder, bytesMax: 1_000_000, log: silentLog })
    expect(await refusal(all.open('t', at(saved(imageArchive({ layers: [[...plain, ...entries]] })))))).toMatch(/not taken|cannot be read/)
    expect(readdirSync(folder)).toEqual([])
    expect(existsSync(outside)).toBe(false)
    expect(await refusal(all.open('t', at(saved(imageArchive({ layers: [plain] })))))).toBe('it was taken')
  })

  test('what is written through a link lands inside, wherever the link says that it leads', async () => {
    const root = await rootOf(
      [
        { path: 'up', type: '2', target: `../../../../../..${home}/outside` },
        { path: 'rooted', type: '2', target: outside },
        { path: 'deep/rooted', type: '2', target: outside },
        { path: 'lib', type: '2', target: 'usr/lib' },
        { path: 'usr/lib', type: '5' },
      ],
      [
        { path: 'up/x', content: 'up' },
        { path: 'rooted/y', content: 'rooted' },
        { path: 'deep/rooted/w', content: 'deep' },
        { path: 'lib/z', content: 'lib' },
      ],
    )
    expect(existsSync(outside)).toBe(false)
    expect([read(root, `${outside}/x`), read(root, `${outside}/y`), read(root, 'usr/lib/z')]).toEqual(['up', 'rooted', 'lib'])
    expect(read(root, `${outside}/w`)).toBe('deep')
    expect(readlinkSync(join(root, 'lib'))).toBe('usr/lib')
  })

  test('a file in the place of a link is the file, and does not follow it', async () => {
    const root = await rootOf(
      [{ path: 'etc/hosts', type: '2', target: outside }],
      [
        { path: 'etc/other', type: '2', target: outside },
        { path: 'etc/other', content: 'x' },
      ],
    )
    expect(lstatSync(join(root, 'etc/hosts')).isFile()).toBe(true)
    expect(lstatSync(join(root, 'etc/other')).isFile()).toBe(true)
    expect(existsSync(outside)).toBe(false)
  })

  test('devices below /dev are left out, as that is made anew', async () => {
    const root = await rootOf([...plain, { path: 'dev/null', type: '3' }])
    expect(existsSync(join(root, 'dev/null'))).toBe(false)
  })
})

describe('what is not what it says', () => {
  const other = (bytes: Buffer) => Buffer.concat([bytes.subarray(0, -1), Buffer.from('!')])
  test.each([
    ['a layer', (make: typeof imageArchive) => make({ layers: [plain], change: (what, bytes) => (what === 'layer' ? other(bytes) : bytes) })],
    [
      'a configuration',
      (make: typeof imageArchive) => make({ layers: [plain], change: (what, bytes) => (what === 'config' ? Buffer.concat([bytes, Buffer.from(' ')]) : bytes) }),
    ],
  ] as const)('%s with other bytes is refused in both forms', async (_, make) => {
    for (const form of [imageArchive, savedArchive]) expect(await refusal(openedFrom(make(form)))).toMatch(/is not what/)
  })
  test('so is a manifest, an image of another processor, a layer that is no archive, and a list without an image', async () => {
    const changed = imageArchive({ layers: [plain], change: (what, bytes) => (what === 'manifest' ? Buffer.concat([bytes, Buffer.from(' ')]) : bytes) })
    expect(await refusal(openedFrom(changed))).toContain('not what its digest says')
    expect(await refusal(openedFrom(imageArchive({ layers: [plain], architecture: 's390x' })))).toContain('linux/s390x')
    expect(await refusal(openedFrom(savedArchive({ layers: [plain], architecture: 's390x' })))).toContain('linux/s390x')
    expect(await refusal(openedFrom(imageArchive({ layers: [plain], layerType: 'application/wasm' })))).toContain('application/wasm')
    expect(await refusal(openedFrom(tarOf(plain)))).toContain('neither index.json')
    expect(await refusal(openedFrom(gzipSync(imageArchive({ layers: [plain] }))))).toContain('gunzip')
    expect(await refusal(images().open('t', at(join(home, 'nowhere'))))).toContain('not there')
    expect(await refusal(openedFrom(imageArchive({ layers: [plain], config: { User: 'nobody-known' } })))).toContain('nobody-known')
  })
  test('a layer of other bytes is refused although it unpacks to the same', async () => {
    const compress = (bytes: Buffer) => gzipSync(bytes, { level: 1 })
    const layers = [[{ path: 'a', content: 'a'.repeat(10_000) }]]
    const change: ImageParts['change'] = (what, bytes) => (what === 'layer' ? gzipSync(gunzipSync(bytes), { level: 9 }) : bytes)
    expect(await refusal(openedFrom(imageArchive({ layers, compress })))).toBe('it was taken')
    expect(await refusal(openedFrom(imageArchive({ layers, compress, change })))).toContain('a layer is not what its digest says')
  })
  test('broken archives and compressed layers are refused', async () => {
    expect(await refusal(openedFrom(imageArchive({ layers: [tarOf(plain).subarray(0, 600)] })))).toContain('end in the middle')
    expect(await refusal(openedFrom(imageArchive({ layers: [Buffer.alloc(512, 'x')] })))).toContain('cannot be read')
    const changed = tarOf(plain)
    changed.write('bin/other', 0)
    expect(await refusal(openedFrom(imageArchive({ layers: [changed] })))).toContain('checksum')
    expect(await refusal(openedFrom(imageArchive({ layers: [plain], compress: (bytes) => gzipSync(bytes).subarray(0, 60) })))).toContain(
      'cannot be decompressed',
    )
  })
})

describe('what is too large', () => {
  test('files are counted unpacked, also those that are replaced, and bombs are not unpacked to their end', async () => {
    const mega = Buffer.alloc(1_000_000)
    const layers = [[{ path: 'a', content: mega }]]
    expect(await refusal(openedFrom(imageArchive({ layers, compress: gzipSync }), 2_000_000))).toBe('it was taken')
    expect(await refusal(openedFrom(imageArchive({ layers, compress: gzipSync }), 900_000))).toContain('more than 900000 bytes')
    const often = [1, 2, 3].map(() => ({ path: 'a', content: mega }))
    expect(await refusal(openedFrom(imageArchive({ layers: [often] }), 2_000_000))).toContain('more than 2000000 bytes')
  })
  test('a size that is not there, or no number, does not get room', async () => {
    const huge = (size: string) => openedFrom(imageArchive({ layers: [[{ path: 'huge', content: '', size }]] }))
    expect(await refusal(huge('77777777777\0'))).toContain('end in the middle')
    expect(await refusal(huge(`\x80${'\xff'.repeat(11)}`))).toContain('a number that is none')
    expect(await refusal(huge('-1\0'))).toContain('a number that is none')
    expect(await refusal(huge('0\0'))).toBe('it was taken')
  })
})

describe('at a registry', () => {
  const parts: ImageParts = { layers: [plain], compress: gzipSync, layerType: 'application/vnd.oci.image.layer.v1.tar+gzip', config: { Cmd: ['/bin/app'] } }
  const ada = { username: 'ada', password: 'secret' }
  const over = (registries: Registries) => openImages({ folder: newPath(), bytesMax: 1_000_000, registries, log: silentLog })
  const fetched = (image: string, registries: Registries) => over(registries).open('t', { folder: home, image })

  test('an image is fetched by its digest, with a token for whoever the operator is there, and once for a tenant', async () => {
    await using registry = await startFakeRegistry({ isClosed: true })
    const image = registry.push('team/app', parts)
    const all = over({ [registry.host]: ada })
    const { root, cmd } = await all.open('t', { folder: home, image })
    expect([read(root.folder, 'bin/app'), cmd]).toEqual(['one', ['/bin/app']])
    const { length } = registry.asked
    await all.open('t', { folder: home, image })
    expect(registry.asked).toHaveLength(length)
    await all.open('another', { folder: home, image })
    expect(registry.asked.length).toBeGreaterThan(length)
    const wrong = { [registry.host]: { ...ada, password: 'wrong' } }
    expect(await refusal(fetched(image, wrong))).toContain('gives no token: 401')
    expect(await refusal(fetched(image, { [registry.host]: {} }))).toContain('gives no token: 401')
  })

  test('nobody is asked but the registries that the operator names', async () => {
    await using registry = await startFakeRegistry()
    const image = registry.push('app', parts)
    expect(await refusal(fetched(image, {}))).toContain('names no registry')
    expect(await refusal(fetched(image, { 'registry.example.com': {} }))).toContain('There are: registry.example.com')
    expect(registry.asked).toEqual([])
    expect(await refusal(fetched(image, { [registry.host]: {} }))).toBe('it was taken')
  })

  test('what it sends elsewhere for is fetched without its token, encrypted or on this machine, and not from one place to the next', async () => {
    await using registry = await startFakeRegistry({ isClosed: true })
    await using elsewhere = await startFakeRegistry()
    const image = registry.push('app', parts)
    elsewhere.push('app', parts)
    let to = (path: string) => `http://${elsewhere.host}${path}`
    registry.answer = ({ url = '', headers }, response) => {
      if (!url.includes('/blobs/') || headers.authorization === undefined) return false
      response.writeHead(307, { location: to(url) }).end()
      return true
    }
    expect(await refusal(fetched(image, { [registry.host]: ada }))).toBe('it was taken')
    expect(elsewhere.asked.map(({ authorization }) => authorization)).toEqual([undefined, undefined])
    expect(registry.asked.some(({ authorization }) => authorization?.startsWith('Bearer '))).toBe(true)
    to = (path) => `http://169.254.169.254${path}`
    expect(await refusal(fetched(image, { [registry.host]: ada }))).toContain('not encrypted')
    to = (path) => path
    expect(await refusal(fetched(image, { [registry.host]: ada }))).toContain('from one address to the next')
  })

  test('what it sends is what its digest says and no more; one that is not there, or not well, is told apart', async () => {
    await using registry = await startFakeRegistry()
    const named = { [registry.host]: {} }
    const longer = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(1_000)])
    for (const kind of ['layer', 'config'] as const) {
      const image = registry.push('longer', { ...parts, change: (what, bytes) => (what === kind ? longer(bytes) : bytes) })
      expect(await refusal(fetched(image, named))).toContain('sends more than it says')
    }
    const other = registry.push('other', { ...parts, change: (what, bytes) => (what === 'manifest' ? longer(bytes) : bytes) })
    expect(await refusal(fetched(other, named))).toContain('not what its digest says')
    expect(await refusal(fetched(`${registry.host}/nowhere@sha256:${'0'.repeat(64)}`, named))).toContain('answers 404')
    const image = registry.push('app', parts)
    registry.answer = (_, response) => (response.writeHead(503).end(), true)
    await expect(fetched(image, named)).rejects.toMatchObject({ code: 'unavailable' })
    registry.answer = ({ url = '' }, response) => {
      if (!url.includes('/blobs/')) return false
      response.writeHead(200, { 'content-length': '1000' })
      response.write('half')
      setImmediate(() => response.destroy())
      return true
    }
    await expect(fetched(image, named)).rejects.toMatchObject({ code: 'unavailable' })
  })
})
