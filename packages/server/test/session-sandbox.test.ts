/** Which runs work in one sandbox: those of a conversation and its asker, and no others. */
import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Opening, openBed } from './support/api-bed.ts'

const counts: Opening = ({ run }) => [
  { type: 'op', run, op: '0', kind: 'exec', name: 'it', input: { script: 'echo turn >> turns; wc -l < turns', timeoutMs: 20_000 } as Json },
]

test('the turns of a conversation find what earlier ones left; other conversations, askers and single runs do not', async () => {
  await using t = await openBed({ counts })
  const [ada, bob] = [await t.caller('ada', { personalData: true }), await t.caller('bob', { personalData: true })]
  const turn = async (caller: typeof ada, session?: string) => {
    const run = await caller.start('counts', session === undefined ? {} : { session })
    expect(run.failure).toBeNull()
    return Number((run.output as { stdout: string }).stdout)
  }
  expect([
    await turn(ada, 'one'),
    await turn(ada, 'one'),
    await turn(ada, 'two'),
    await turn(bob, 'one'),
    await turn(ada),
    await turn(ada),
    await turn(ada, 'one'),
  ]).toEqual([1, 2, 1, 1, 1, 1, 3])
})
