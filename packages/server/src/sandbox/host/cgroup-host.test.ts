import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, readlinkSync, rmdirSync } from 'node:fs'
import { release } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { findProgram } from './runtime.ts'
import { detectCgroups, favourMoves, removeBases } from './cgroup-host.ts'

const host = detectCgroups('hasten-probe')
removeBases(host)
const { unified } = host
if (process.getuid?.() !== 0 || unified === undefined) process.stderr.write('SKIPPED: moves between control groups: they need root and the second version.\n')

test.skipIf(process.getuid?.() !== 0 || unified === undefined)('what makes the next move fast leaves the server in the group where it is', () => {
  const group = join(unified ?? '', `longhaul-hasten-${process.pid}`)
  mkdirSync(group)
  try {
    const code = `
      import { readFileSync } from 'node:fs'
      import { detectCgroups, hastenMoves, removeBases } from ${JSON.stringify(join(import.meta.dirname, 'cgroup-host.ts'))}
      const host = detectCgroups('hasten')
      const where = () => /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))[1]
      const before = where()
      await hastenMoves(host)
      removeBases(host)
      console.log(before === where(), before)`
    const node = [process.execPath, '--conditions=longhaul-source', '--input-type=module', '-e', code]
    const joined = ['-c', 'echo $$ >"$1/cgroup.procs" || exit; shift; exec "$@"', 'sh', group, ...node]
    expect(execFileSync('/bin/sh', joined, { encoding: 'utf8', stdio: 'pipe' })).toMatch(/^true .*longhaul-hasten-/)
  } finally {
    rmdirSync(group)
  }
})

const [major = 0, minor = 0] = release().split('.').map(Number)
/** In any other the kernel takes the option and does not look at it. */
const isFirstNamespace = unified !== undefined && readlinkSync('/proc/self/ns/cgroup') === 'cgroup:[4026531835]'
const canFavour = process.getuid?.() === 0 && isFirstNamespace && (major > 6 || (major === 6 && minor >= 18))
if (!canFavour) process.stderr.write('SKIPPED: a kernel that favours moves: that needs root, Linux 6.18 and the first namespace of control groups.\n')

test.skipIf(!canFavour)('the kernel favours moves afterwards, and what was set before stays set', async () => {
  const optionsNow = () => /^\S+ (\S+) cgroup2 (\S+)/m.exec(readFileSync('/proc/mounts', 'utf8'))?.[2]?.split(',') ?? []
  const before = optionsNow()
  expect(await favourMoves(host, findProgram('mount'))).toMatchObject({ isFast: true })
  expect(optionsNow()).toEqual(expect.arrayContaining([...before, 'favordynmods']))
  expect(await favourMoves({ version: 'none', limits: {} }, undefined)).toMatchObject({ isFast: true }) // It says what holds, whoever set it.
})
