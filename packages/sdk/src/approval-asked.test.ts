import { expect, test } from 'vitest'
import { durable } from './agent.ts'
import { type ApprovalOptions, approvalAsked } from './approval-asked.ts'
import { runAgent } from './testing.ts'

const asking = (options: ApprovalOptions) => durable('Asks.', async (ctx) => (await ctx.approval('Pay?', options)) as never)

test('a form is shown with the detail, and what was filled in comes back by the names of its fields, also after crashes', async () => {
  const shown: unknown[] = []
  const options: ApprovalOptions = {
    detail: { amount: 9 },
    fields: [
      { name: 'account', kind: 'text' },
      { name: 'note', kind: 'text', title: 'A note', isRequired: false },
    ],
  }
  const run = await runAgent(asking(options), {
    approve: (_, detail) => (shown.push(detail), { approved: true, by: 'ann', answers: { account: 'main' } }),
  })
  expect(run.output).toEqual({ approved: true, by: 'ann', comment: null, answers: { account: 'main' } })
  expect(shown).toEqual([
    {
      amount: 9,
      asks: [
        {
          ...{ key: 'form', message: 'Pay?' },
          fields: [
            { name: 'account', kind: 'text', title: 'account', isRequired: true },
            { name: 'note', kind: 'text', title: 'A note', isRequired: false },
          ],
        },
      ],
    },
  ])
  expect((await runAgent(asking(options), { approve: () => ({ approved: false }) })).output).toEqual({ approved: false, by: 'tester', comment: null })
})

test('who has to say yes goes along; without such words nothing does', () => {
  expect(approvalAsked('Pay?', { approversMin: 2, roles: ['administrator'], escalateAfterMs: 60_000 })).toEqual({
    rule: { approversMin: 2, excludesAsker: false, roles: ['administrator'], escalateAfterMs: 60_000 },
  })
  expect(approvalAsked('Pay?', { detail: 'x', timeoutMs: 1 })).toEqual({ detail: 'x' })
})

test.each<[ApprovalOptions, string]>([
  [{ roles: ['viewer'] }, 'may not decide approvals. These may: administrator, approver'],
  [{ escalateAfterMs: 60_000 }, 'needs roles'],
  [{ approversMin: 0 }, 'approversMin'],
])('what nobody could decide is refused where it is written: %j', (options, why) => {
  expect(() => approvalAsked('Pay?', options)).toThrow(why)
})
