import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { copySeed } from './seed.ts'

const limits = { diskBytesMax: 1_000, fileCountMax: 20 }

function folders(): { from: string; to: string } {
  const path = mkdtempSync(join(tmpdir(), 'longhaul-seed-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  const [from, to] = [join(path, 'from'), join(path, 'to')]
  for (const each of [from, to]) mkdirSync(each)
  return { from, to }
}

test('files, folders and inner links are copied; what leads out or is no file is left out and named', async () => {
  const { from, to } = folders()
  mkdirSync(join(from, 'a/b'), { recursive: true })
  writeFileSync(join(from, 'a/b/run.sh'), 'echo', { mode: 0o700 })
  symlinkSync('a/b', join(from, 'inner'))
  symlinkSync('../../b/run.sh', join(from, 'a/b/back'))
  symlinkSync('/etc/passwd', join(from, 'absolute'))
  symlinkSync('../../../etc', join(from, 'a/b/up'))
  symlinkSync('..', join(from, 'parent'))
  execFileSync('mkfifo', [join(from, 'pipe')])
  expect((await copySeed(from, to, undefined, limits)).toSorted()).toEqual(['a/b/up', 'absolute', 'parent', 'pipe'])
  expect(readdirSync(to).toSorted()).toEqual(['a', 'inner'])
  expect(readFileSync(join(to, 'inner/run.sh'), 'utf8')).toBe('echo')
  expect(statSync(join(to, 'a/b/run.sh')).mode & 0o777).toBe(0o744 | 0o044)
})

test('a link to the seed is followed, once', async () => {
  const { from, to } = folders()
  writeFileSync(join(from, 'x'), '')
  symlinkSync(from, `${from}-link`)
  await copySeed(`${from}-link`, to, undefined, limits)
  expect(readdirSync(to)).toEqual(['x'])
})

test('a seed that is too large, or absent, is refused', async () => {
  const { from, to } = folders()
  await expect(copySeed(`${from}/none`, to, undefined, limits)).rejects.toMatchObject({ failure: { code: 'not_found' } })
  writeFileSync(join(from, 'big'), Buffer.alloc(1_001))
  await expect(copySeed(from, to, undefined, limits)).rejects.toMatchObject({ failure: { code: 'over_limit' } })
  rmSync(join(from, 'big'))
  for (let i = 0; i < 21; i++) writeFileSync(join(from, String(i)), '')
  await expect(copySeed(from, to, undefined, limits)).rejects.toMatchObject({ failure: { code: 'over_limit' } })
})
