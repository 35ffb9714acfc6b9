import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { identityOf } from './processes.ts'
import { claimRoot } from './root.ts'

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), 'longhaul-root-'))
  onTestFinished(() => rmSync(path, { recursive: true }))
  return path
}

test('a folder has one owner at a time', () => {
  const path = folder()
  const first = claimRoot(path)
  expect(() => claimRoot(path)).toThrow(/belong to another server/)
  first.release()
  claimRoot(path).release()
})

test('the lock of a process that is gone, or of another boot, or cut off, holds nobody up', () => {
  const path = folder()
  const ours = identityOf(process.pid)
  for (const left of [
    { ...ours, startedAt: '1' },
    { ...ours, boot: 'another' },
    { ...ours, pid: 4_194_303 },
  ]) {
    writeFileSync(join(path, '.lock'), JSON.stringify(left))
    claimRoot(path).release()
  }
  writeFileSync(join(path, '.lock'), '{"pid":')
  claimRoot(path).release()
})

test('nobody but those who must can look into it', () => {
  const root = claimRoot(join(folder(), 'new/deep'))
  expect((statSync(root.path).mode & 0o777).toString(8)).toBe(process.getuid?.() === 0 ? '711' : '700')
  root.release()
})
