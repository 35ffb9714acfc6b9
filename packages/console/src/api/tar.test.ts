import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeTar } from './tar.ts'

test('the system’s own tar reads every file back: empty, exactly a block, long names, names in Chinese', () => {
  const dir = mkdtempSync(join(tmpdir(), 'tar-'))
  try {
    const files = [
      { name: 'empty.txt', bytes: new Uint8Array() },
      { name: 'block.bin', bytes: new Uint8Array(512).fill(7) },
      { name: `${'long-'.repeat(30)}.csv`, bytes: new TextEncoder().encode('a,b\n1,2\n') },
      { name: '报告 2026.md', bytes: new TextEncoder().encode('# 报告\n') },
    ].map((file) => ({ ...file, modifiedAt: 1_700_000_000_000 }))
    execFileSync('tar', ['-x', '-C', dir], { input: makeTar(files) })
    for (const { name, bytes } of files) expect([name, Buffer.from(bytes).equals(readFileSync(join(dir, name)))]).toEqual([name, true])
  } finally {
    rmSync(dir, { recursive: true })
  }
})
