import { spawn } from 'node:child_process'
import { expect, test } from 'vitest'
import { familyOf, identityOf, innerPidOf, isAlive, killProcess, memoryBytesOf, parentOf, parseIdentity } from './processes.ts'

test.runIf(process.platform === 'linux')('a process is known by its number and its beginning, and only then ended', async () => {
  const child = spawn('sleep', ['60'])
  const ended = new Promise((resolve) => child.on('exit', (_, signal) => resolve(signal)))
  const identity = identityOf(child.pid ?? 0)
  expect(parentOf(identity.pid)).toBe(process.pid)
  expect(innerPidOf(identity.pid)).toBe(child.pid)
  expect(familyOf(process.pid)).toContain(child.pid)
  expect(memoryBytesOf([process.pid])).toBeGreaterThan(10_000_000)
  expect(killProcess({ ...identity, startedAt: '1' })).toBe(false)
  expect(killProcess({ ...identity, boot: 'another' })).toBe(false)
  expect(isAlive(identity)).toBe(true)
  expect(killProcess(identity)).toBe(true)
  expect(await ended).toBe('SIGKILL')
  expect(isAlive(identity)).toBe(false)
})

test('a record that is not one is not taken for one', () => {
  const good = { pid: 1, startedAt: '5', boot: 'x' }
  expect(parseIdentity(JSON.stringify(good))).toEqual(good)
  for (const text of ['', '{', 'null', '[]', '{"pid":-1,"startedAt":"5","boot":"x"}', '{"pid":"1","startedAt":"5","boot":"x"}'])
    expect(parseIdentity(text)).toBeUndefined()
})
