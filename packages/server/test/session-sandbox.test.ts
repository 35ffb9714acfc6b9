/** Which runs work in one sandbox: those of a conversation and its asker, and no others. */
import { ExecResult, type Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { type Opening, openBed } from './support/api-bed.ts'
import { usableModes } from './support/sandbox-modes.ts'

const exec =
  (script: string, timeoutMs = 20_000): Opening =>
  ({ run }) => [{ type: 'op', run, op: '0', kind: 'exec', name: 'it', input: { script, timeoutMs } as Json }]
const counts: Opening = exec('echo turn >> turns; wc -l < turns')

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

test.skipIf(!usableModes().length)(
  'of a command that writes more than a step holds the step has the beginning and how it ended, and the run all of it',
  async () => {
    const lines = (count: number) => `seq ${count}; seq ${count} >&2`
    await using t = await openBed(
      { short: exec(lines(100)), long: exec(`${lines(100_000)}; sleep 60`, 6_000), endless: exec('yes | head -c 9000000') },
      undefined,
      'bwrap',
    )
    const ada = await t.caller('ada', { personalData: true })
    const ran = async (agent: string) => ExecResult.parse((await ada.start(agent, {})).output)
    const short = await ran('short')
    expect(short.isTruncated).toBe(false)
    expect(short).not.toHaveProperty('whole')
    const long = await ran('long')
    const all = Array.from({ length: 100_000 }, (_, index) => `${index + 1}\n`).join('')
    expect(long).toMatchObject({
      isTruncated: true,
      stdout: all.slice(0, 256 * 1024),
      whole: [{ name: 'stdout.txt', bytes: all.length }, { name: 'stderr.txt' }],
    })
    expect(long.stderr.slice(0, 256 * 1024)).toBe(all.slice(0, 256 * 1024))
    expect(long.stderr.slice(256 * 1024).trim()).toBe('sandbox: The command took longer than 6000 ms and was ended.')
    const path = (result: ExecResult) => `/v1/files/${result.whole?.[0]?.fileId}`
    expect(await (await ada.ask('GET', path(long))).text()).toBe(all)
    const endless = await ran('endless')
    expect(endless).toMatchObject({ isTruncated: true, whole: [{ name: 'stdout.txt', bytes: 8_000_000 }] })
  },
)
