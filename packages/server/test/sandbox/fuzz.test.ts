/** Random paths, archives, ports and names against a sandbox that lives: nothing outside of it changes, nothing of it ends, and each answer is one of those that are meant. */
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { StepFailure, silentLog } from '../../src/kernel/index.ts'
import { bwrapDriver } from '../../src/sandbox/drivers/bwrap/bwrap.ts'
import { type TarEntry, packTar } from '../../src/sandbox/drivers/remote/tar.ts'
import type { Sandbox, SandboxDriver } from '../../src/sandbox/driver.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import { modes } from '../support/sandbox-modes.ts'
import { base64, freshId, sh } from '../support/sandbox-suite.ts'

const whyNot = modes.every(({ whyNot }) => whyNot !== undefined) ? 'bubblewrap does not work here' : undefined
if (whyNot) process.stderr.write(`SKIPPED: random paths and archives: ${whyNot}.\n`)

const outside = mkdtempSync(join(tmpdir(), 'longhaul-outside-'))
const canary = join(outside, 'canary')
const words = [
  '..',
  '.',
  '',
  'a',
  'b',
  '-rf',
  'ü☃',
  '*',
  '~',
  '$HOME',
  ' ',
  '\n',
  '\\',
  'x'.repeat(255),
  'x'.repeat(300),
  'etc',
  'passwd',
  'workspace',
  'proc',
  'self',
  'root',
  'up',
  'way',
]
const part = fc.oneof(fc.constantFrom(...words), fc.string({ maxLength: 12, unit: 'binary' }))
const path = fc.oneof(
  fc
    .tuple(fc.constantFrom('', '/', '//', '/workspace/', '../', canary), fc.array(part, { maxLength: 6 }))
    .map(([start, parts]) => `${start}${parts.join('/')}`),
  fc.constantFrom(canary, '/etc/hostname', '/proc/self/environ', '/dev/zero', '/workspace/way/canary'),
)
const meant = ['invalid', 'not_found', 'not_permitted', 'over_limit']

describe.skipIf(whyNot)('random requests to a sandbox', () => {
  let root: Root
  let driver: SandboxDriver
  let sandbox: Sandbox
  beforeAll(async () => {
    writeFileSync(canary, 'untouched')
    root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-fuzz-')))
    driver = bwrapDriver({ root, log: silentLog })
    sandbox = await driver.create({ id: freshId(), limits: { diskBytesMax: 20_000_000, fileCountMax: 5_000 } })
    await sh(sandbox, `ln -s / up; ln -s ${outside} way; mkfifo pipe; ln -s /dev/zero zero; mkdir closed; chmod 0 closed`)
  })
  afterAll(async () => {
    await driver?.stop()
    root?.release()
    rmSync(root.path, { recursive: true })
    rmSync(outside, { recursive: true })
  })

  /** True when it was done; false when it was refused as it should be. */
  async function tried(work: () => Promise<unknown>): Promise<boolean> {
    try {
      await work()
      return true
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      expect(meant, error.message).toContain(error.failure.code)
      return false
    }
  }

  async function expectUnharmed(): Promise<void> {
    expect(readFileSync(canary, 'utf8')).toBe('untouched')
    expect(readdirSync(outside)).toEqual(['canary'])
    expect((await sh(sandbox, 'echo alive')).stdout).toBe('alive\n')
  }

  test('paths of files', async () => {
    const counts = { done: 0, refused: 0 }
    await fc.assert(
      fc.asyncProperty(path, fc.constantFrom('write', 'read', 'list'), async (path, action) => {
        const isDone = await tried(async () => {
          if (action === 'write') return sandbox.files({ action, files: [{ path, base64: base64('fuzz') }] })
          if (action === 'list') return sandbox.files({ action, path })
          const read = await sandbox.files({ action, path, bytesMax: 1_000 })
          if (read.action === 'read') expect(Buffer.from(read.base64, 'base64').toString()).not.toContain('untouched')
          return read
        })
        counts[isDone ? 'done' : 'refused']++
      }),
      {
        numRuns: 400,
        examples: [
          ['fine', 'write'],
          ['../outside', 'read'],
        ],
      },
    )
    expect(Math.min(counts.done, counts.refused)).toBeGreaterThan(0)
    await expectUnharmed()
  })

  test('archives', async () => {
    const mode = fc.constantFrom(0o644, 0o755, 0o4755, 0o2777, 0)
    const entry: fc.Arbitrary<TarEntry> = fc.oneof(
      fc.record({ type: fc.constant('file' as const), path, mode, bytes: fc.uint8Array({ maxLength: 700 }) }),
      fc.record({ type: fc.constant('directory' as const), path, mode }),
      fc.record({ type: fc.constant('link' as const), path, target: path }),
    )
    const counts = { done: 0, refused: 0 }
    const damage = fc.option(fc.tuple(fc.nat(4_000), fc.nat(255)))
    await fc.assert(
      fc.asyncProperty(
        fc.array(entry, { maxLength: 6 }),
        damage,
        fc.constantFrom('/workspace', '/workspace/in', '/workspace/way'),
        async (entries, damage, to) => {
          const archive = packTar(
            entries.map((each) => ({
              ...each,
              path: each.path.replaceAll('\0', '') || 'x',
              ...('target' in each && { target: each.target.replaceAll('\0', '') || 'x' }),
            })),
          )
          if (damage) archive[damage[0] % archive.length] = damage[1]
          counts[(await tried(() => sandbox.trees!.unpack(to, Readable.from([archive])))) ? 'done' : 'refused']++
        },
      ),
      {
        numRuns: 20,
        examples: [
          [[{ type: 'file', path: 'fine', mode: 0o644, bytes: new Uint8Array(3) }], null, '/workspace'],
          [[{ type: 'file', path: '../outside', mode: 0o644, bytes: new Uint8Array(3) }], null, '/workspace'],
        ],
      },
    )
    expect(counts.done).toBeGreaterThan(0)
    expect(counts.refused).toBeGreaterThan(0)
    await expectUnharmed()
  })

  test('a workspace that was closed to its own owner is opened by the next command', async () => {
    await sh(sandbox, 'chmod 0 /workspace')
    await expectUnharmed()
  })

  test('ports, and ids', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.integer({ min: 1, max: 65_535 }), fc.integer()), async (port) => {
        const connection = await sandbox.connect!(port).catch((error: unknown) => {
          if (!(error instanceof StepFailure)) throw error
          return undefined
        })
        expect(connection).toBeUndefined() // Nothing listens in there; what listens on this machine is not reached.
      }),
      { numRuns: 40 },
    )
    const before = readdirSync(join(root.path, '..')).length
    await fc.assert(
      fc.asyncProperty(fc.oneof(path, fc.string({ unit: 'binary' })), async (id) => {
        const made = await driver.create({ id })
        expect(root.folderOf(id).startsWith(`${root.path}/`)).toBe(true)
        expect(readdirSync(root.folderOf(id))).toContain('workspace')
        await made.destroy()
      }),
      { numRuns: 5 },
    )
    expect(readdirSync(join(root.path, '..')).length).toBeGreaterThanOrEqual(before - 5)
    await expectUnharmed()
  })
})
