import { durable, TerminalFailure } from '@longhaul/sdk'

const months = Array.from({ length: 18 }, (_, i) => `${2025 + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, '0')}`)
const text = (name: string) => ({ name, type: 'text' as const })
const number = (name: string) => ({ name, type: 'number' as const })
const long =
  '这家公司在过去四个季度里逐步把客户支持从电话迁移到在线聊天，首次响应时间因此明显缩短，但同时未解决工单的数量有所上升，需要结合各地区的人员配置一起判断'

/** What is hard to show: a table of 20 columns and 200 rows, negative numbers, nothing at all, long words, long texts, a step that fails, a command that writes more than a step holds. */
export default durable('Shows what is hard to show.', async (ctx) => {
  await ctx.step(
    'fail at first',
    (attempt) => {
      if (attempt === 1) throw new Error('The warehouse did not answer within 30 s: connection refused by 10.0.0.7:5432, and the replica is two hours behind.')
    },
    { retry: { attemptsMax: 2, delayMsMin: 50, delayMsMax: 50 } },
  )
  try {
    await ctx.step('fail for good', () => {
      throw new TerminalFailure('column "regoin" does not exist\nLINE 1: select regoin from accounts\n               ^')
    })
  } catch {
    // It is there to be looked at.
  }
  await ctx.step('write a long text', () => Array.from({ length: 400 }, (_, i) => `line ${i}: ${'lorem ipsum '.repeat(6)}`).join('\n'))
  await ctx.sandbox.exec({ script: 'for i in $(seq 2000); do echo "row $i of the export"; done; echo "disk is nearly full" >&2; exit 3' })
  await ctx.sandbox.exec({ script: 'seq 100000' })
  return {
    text: `**${long}**\n\n${long}。\n\n- ${long}\n- Averyverylongwordthatnobreakopportunityexistsin${'x'.repeat(120)}`,
    model: 'gallery/none',
    usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
    parts: [
      {
        type: 'table',
        title: 'MRR movement by account and month',
        rowCount: 4_812,
        sql: 'select account_name, region\nfrom mrr_movements\nlimit 200',
        columns: [text('account_name'), text('region'), ...months.map(number)],
        rows: Array.from({ length: 200 }, (_, r) => [
          r % 7 ? `Granite ${r} Haulage & Sons` : '云岭物流（上海）有限公司',
          r % 2 ? 'Asia Pacific' : 'Latin America',
          ...months.map((_, i) => ((r * i) % 11 === 10 ? null : ((r * 7919 + i * 104729) % 200_000) / 7 - 14_000)),
        ]),
      },
      {
        type: 'table',
        title: 'Change of margin',
        rowCount: 2,
        columns: [text('why'), number('change'), number('share')],
        rows: [
          [long, -1_204.5, -0.0312],
          ['Prices', 12, 0.4],
        ],
      },
      { type: 'table', title: 'Overdue invoices', rowCount: 0, columns: [text('invoice_id'), number('amount')], rows: [] },
    ],
  }
})
