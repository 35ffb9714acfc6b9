import { expect, onTestFinished, test } from 'vitest'
import { everyone } from '../../../test/support/engine.ts'
import type { Caller } from '../../identity/index.ts'
import { silentLog } from '../../kernel/index.ts'
import { openKeeper } from './keeper.ts'
import type { Pipe } from './pipe.ts'

const callerOf = (keyId: string, tenantId = 'acme'): Caller => ({
  ...everyone,
  tenantId,
  keyId,
  name: keyId,
  permissions: ['tools:call'],
  access: { personalData: true },
})

/** A keeper, and what has been ended from there. Its programs do nothing, as when no client asks: what counts them looks at nothing else. */
function openHouse() {
  const keeper = openKeeper({ log: silentLog, whyStopped: () => undefined })
  onTestFinished(() => keeper.endAll())
  const ended: string[] = []
  const start = (key: string, caller: Caller, isBusy = false) =>
    keeper.starting(caller, async () => {
      const pipe = { waiting: new Map(isBusy ? [[1, { jsonrpc: '2.0', id: 1, method: 'tools/call' }]] : []), useCount: () => 0 } as unknown as Pipe // No more of it is looked at.
      const admission = { caller, again: async () => caller }
      return keeper.keep({ key, agent: 'stock', pipe }, { admission, idleMs: 900_000, end: async () => void ended.push(key) })
    })
  return { keeper, ended, start }
}

test('a key has 16 programs at most, and the one that was idle for the longest makes room', async () => {
  const { keeper, ended, start } = openHouse()
  for (let i = 0; i < 16; i++) await start(`a${i}`, callerOf('ann'))
  expect(ended).toEqual([])
  await start('a16', callerOf('ann'))
  expect(ended).toEqual(['a0'])
  expect(keeper.find('a0')).toBeUndefined()
  await start('b0', callerOf('bob')) // Another key has its own.
  await start('c0', callerOf('ann', 'other')) // As has another tenant, whatever its keys are called.
  expect(ended).toEqual(['a0'])
})

test('a tenant has 32 at most, whoever of it asks, and no other tenant’s makes room for it', async () => {
  const { ended, start } = openHouse()
  await start('other', callerOf('eve', 'other'))
  for (const [key, count] of [
    ['ann', 16],
    ['bob', 15],
    ['eve', 1],
  ] as const)
    for (let i = 0; i < count; i++) await start(`${key}${i}`, callerOf(key))
  expect(ended).toEqual([])
  await start('more', callerOf('dan'))
  expect(ended).toEqual(['ann0'])
})

test('where all of them work nothing is ended, and whoever wants another is refused', async () => {
  const { ended, start } = openHouse()
  for (let i = 0; i < 16; i++) await start(`a${i}`, callerOf('ann'), true)
  await expect(start('a16', callerOf('ann'))).rejects.toMatchObject({ code: 'over_limit', message: expect.stringContaining('16 programs') })
  for (let i = 0; i < 16; i++) await start(`b${i}`, callerOf('bob'), true)
  await expect(start('c0', callerOf('cid'))).rejects.toMatchObject({ code: 'over_limit', message: expect.stringContaining('32 programs') })
  expect(ended).toEqual([])
})

test('what is being started counts, also before it is there', async () => {
  const { keeper, start } = openHouse()
  const gate = Promise.withResolvers<void>()
  const opening = Array.from({ length: 16 }, () => keeper.starting(callerOf('ann'), () => gate.promise))
  await expect(start('a16', callerOf('ann'))).rejects.toMatchObject({ code: 'over_limit' })
  gate.resolve()
  await Promise.all(opening)
  await expect(start('a16', callerOf('ann'))).resolves.toMatchObject({ key: 'a16' }) // Nothing came of them.
})
