/** Copies of whole images, with real loop devices: what is written meanwhile is in none of them. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Root, claimRoot } from '../root.ts'
import { type DiskHost, detectDisks, hasImage, imageOf, isForeign, settleImage } from './disk-image.ts'
import { prepareRuntime } from './runtime.ts'
import { findTools } from './tools.ts'

const whyNot =
  process.getuid?.() === 0 && existsSync('/dev/loop-control') && existsSync('/usr/bin/bwrap') ? undefined : 'they need root, loop devices and bubblewrap'
if (whyNot) process.stderr.write(`SKIPPED: copies of images: ${whyNot}.\n`)

/** So much that a copy takes longer than to ask. */
const ballast = 'x'.repeat(15_000_000)
const limits = { diskBytesMax: 20_000_000, fileCountMax: 1_000 }

describe.skipIf(whyNot)('images', () => {
  let root: Root
  let disks: DiskHost
  let count = 0
  beforeAll(async () => {
    root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-images-')))
    const found = await detectDisks(await prepareRuntime(root, findTools('bwrap', true).tools, true), root.path)
    if (!('disks' in found)) throw new Error(found.whyNot)
    disks = found.disks
  })
  afterAll(() => {
    root.release()
    rmSync(root.path, { recursive: true })
  })

  /** A workspace with one file, as it is while nothing runs in it. */
  async function make(text: string, its = limits): Promise<string> {
    const folder = join(root.path, `w${++count}`)
    const [workspace, content] = ['workspace', 'content'].map((name) => join(folder, name))
    for (const path of [workspace, content]) mkdirSync(path!, { recursive: true })
    writeFileSync(join(content!, 'file'), text)
    await disks.make(folder, its, 54_321, content!)
    return folder
  }

  const fileIn = (folder: string): string => execFileSync('debugfs', ['-R', 'cat file', imageOf(folder)], { encoding: 'utf8', stdio: 'pipe' })

  test('a copy takes the place of an image, once it is whole, and is known for one whose files are to be given away', async () => {
    const [from, to] = [await make('from'), await make('to')]
    expect(await disks.copy(from, undefined, to)).toBe(true)
    expect([fileIn(to), await isForeign(to)]).toEqual(['to', false])
    await disks.exchange(to)
    expect([fileIn(to), await isForeign(to)]).toEqual(['from', true])
    expect((await disks.measure(to, undefined)).files).toBe(2)
  })

  test('none is made of another size, nor while anybody else has the image and could write', async () => {
    const [from, to] = [await make('from'), await make('to')]
    expect(await disks.copy(from, undefined, await make('larger', { ...limits, diskBytesMax: 40_000_000 }))).toBe(false)
    const held = await disks.attach(from)
    expect(await disks.copy(from, undefined, to)).toBe(false)
    const second = await disks.attach(from) // One is the sandbox's own while it runs.
    expect(await disks.copy(from, process.pid, to)).toBe(false)
    await second.release()
    // By another process than this one, or one whose mount is just going.
    const stranger = await make('stranger')
    const device = execFileSync('losetup', ['--find', '--show', imageOf(stranger)], { encoding: 'utf8' }).trim()
    expect(await disks.copy(stranger, undefined, to)).toBe(false)
    execFileSync('losetup', ['--detach', device])
    await held.release()
    expect(existsSync(join(to, 'disk.new'))).toBe(false)
  })

  test('who asks for the image while it is copied waits', async () => {
    const [from, to] = [await make(ballast), await make('to')]
    let isCopied = false
    const copying = disks.copy(from, undefined, to).then((made) => {
      isCopied = true
      return made
    })
    while (!existsSync(join(to, 'disk.new'))) await new Promise((resolve) => setImmediate(resolve))
    const held = await disks.attach(from)
    expect(isCopied).toBe(true)
    await held.release()
    await copying
  })

  test('what was deleted and not given back to the host is, once it is told, and nothing else', async () => {
    const folder = await make('kept')
    const { device, release } = await disks.attach(folder)
    const target = join(folder, 'workspace')
    const kept = (await disks.hostBytes(folder)) + 1_000_000
    // Mounted so that nothing goes back by itself.
    const script = 'mount -t ext4 -o nodiscard "$1" "$2" && head -c 4000000 /dev/urandom > "$2/x" && sync -f "$2" && rm "$2/x" && sync -f "$2"'
    execFileSync('unshare', ['--mount', '--propagation', 'private', '--', 'sh', '-c', script, 'sh', device, target])
    await release()
    expect(await disks.hostBytes(folder)).toBeGreaterThan(kept + 2_000_000)
    await disks.trim(folder)
    expect(await disks.hostBytes(folder)).toBeLessThan(kept)
    expect(fileIn(folder)).toBe('kept')
  })

  test('what a killed server left of an exchange is ended, and of a copy forgotten', async () => {
    const [half, early] = [await make('half'), await make('early')]
    renameSync(imageOf(half), join(half, 'disk.new'))
    writeFileSync(join(early, 'disk.new'), 'not whole')
    for (const folder of [half, early]) await settleImage(folder)
    expect([await hasImage(half), fileIn(half), fileIn(early), existsSync(join(early, 'disk.new'))]).toEqual([true, 'half', 'early', false])
  })
})
