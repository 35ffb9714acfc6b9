// However a question is put, it must come to the same SQL. Each list is one question in many forms.
import { expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import { compilerFor } from './testing.ts'

const { compile } = compilerFor(fileURLToPath(new URL('../../../../../examples/analyst/agent/sandbox/workspace/semantic', import.meta.url)))
const sqlOf = (question: string): string => {
  const compiled = compile(question)
  return 'problem' in compiled ? `refused: ${compiled.problem}` : compiled.query.sql
}

const questions: string[][] = [
  [
    'ARR at the end of last quarter by region',
    'What was our ARR at the end of last quarter, by region?',
    'by region, what was the annual recurring revenue at the close of the previous quarter?',
    'Show me the ARR per region as of the end of last quarter',
    'ARR broken down by region at end of Q3 FY2027',
    'arr by regoin at the end of last quarter',
    'ARR for each region as of 31 October 2026',
    'regional ARR as of 2026-10-31',
    '上季度末各地区的ARR',
    '上个季度末，按地区划分的年度经常性收入是多少？',
    '截至2026年10月31日，每个地区的ARR',
    '2026年10月底的ARR，分地区',
    '请问上季度末不同区域的年经常性收入',
  ],
  [
    'Top 5 accounts by invoiced revenue in 2025',
    'the five accounts with the highest invoiced revenue in 2025',
    'Which 5 customers had the most revenue in 2025?',
    'Who were our top five customers by revenue in calendar year 2025?',
    '5 largest customers by billings in 2025',
    '2025年开票收入最高的5个客户',
    '2025年收入排名前五的客户',
    '2025年营收前5名的公司',
    '2025年收入最多的前五家客户是哪些',
  ],
  [
    'churned MRR by month this fiscal year in Europe',
    'monthly churned MRR this fiscal year in EMEA',
    'How much MRR churned each month this year in Europe?',
    'Show lost MRR month by month in Europe for the current fiscal year',
    '本财年欧洲每月的流失MRR',
    '欧洲今年各月流失的 MRR',
    '今年欧洲按月的流失收入',
  ],
  [
    'new customers last quarter by channel',
    'How many new customers did we win last quarter, by channel?',
    'new logos by acquisition channel in the last quarter',
    'customers acquired last quarter, split by channel',
    '上季度各渠道的新增客户数',
    '上个季度按渠道的新客户',
    '上季各获客渠道新签客户有多少',
  ],
  [
    'logo churn rate by region last quarter',
    'customer churn rate by region last quarter',
    'What was the customer churn in each region last quarter?',
    '上季度各地区的客户流失率',
    '上个季度每个地区的客户流失率是多少',
  ],
  [
    'How many tickets with high priority were opened in March 2026?',
    'high priority tickets in March 2026',
    'number of high-priority tickets opened in Mar 2026',
    'tickets of high priority created in 2026-03',
    'How many P2 tickets came in during March 2026?',
    '2026年3月新建的高优先级工单数',
    '2026年3月有多少高优先级工单',
    '2026年三月份优先级为高的工单数量',
  ],
  [
    'share of ARR from Enterprise',
    'What percentage of ARR comes from Enterprise?',
    "Enterprise's share of ARR",
    'how much of our ARR is from enterprise customers, in percent',
    'percent of ARR from large customers',
    'Enterprise占ARR的比例',
    '大型企业占ARR的百分比',
    'ARR中大型企业的占比',
    '大客户的ARR占比是多少',
  ],
  [
    'NRR last quarter for mid-market',
    'net revenue retention of mid-market customers in the last quarter',
    'What was the net dollar retention for midmarket last quarter?',
    '中型企业上季度的净收入留存率',
    '上季度中型客户的NRR',
  ],
  [
    'average resolution time by category in the last 90 days',
    'mean time to resolve by ticket category over the past 90 days',
    'How long did tickets take to resolve on average, by category, in the last 90 days?',
    '最近90天各类别的平均解决时间',
    '过去90天按工单类型的平均解决时长',
    '近九十天各问题类型的解决时长',
  ],
  [
    'ARR without North America',
    'ARR excluding North America',
    'ARR outside of North America',
    'ARR not in North America',
    '除北美以外的ARR',
    '不含北美的ARR',
    '北美之外的年度经常性收入',
  ],
  [
    'revenue last quarter compared to the same quarter a year before',
    'revenue last quarter year over year',
    'How did revenue in the last quarter change year on year?',
    'revenue last quarter vs the same quarter last year',
    '上季度收入同比',
    '上季度营收与去年同期相比',
    '上个季度的收入同比变化',
  ],
  [
    'customers with more than 500 seats',
    'Which customers have over 500 seats?',
    'accounts that have more than 500 seats',
    'list all customers with seats above 500',
    '席位超过500的客户',
    '哪些客户的席位数大于500',
    '列出席位多于500个的客户',
  ],
  [
    'tickets per month over the last 12 months',
    'monthly ticket volume for the last 12 months',
    'number of tickets by month in the last twelve months',
    'How many tickets did we get each month over the last 12 months?',
    '最近12个月每月的工单数',
    '过去十二个月按月的工单量',
    '近12个月各月新建工单数',
  ],
  [
    'Which product has the lowest error rate this month?',
    'product with the lowest error rate this month',
    'What product had the smallest error rate this month?',
    '本月错误率最低的产品',
    '这个月哪个产品的错误率最低？',
  ],
  [
    'customers by country, highest first',
    'rank countries by number of customers',
    'number of customers per country, sorted in descending order',
    '各国家的客户数，从高到低',
    '按客户数对国家排名',
  ],
]

test.each(questions.map((forms) => [forms[0] ?? '', forms] as const))('%s', (first, forms) => {
  expect(sqlOf(first)).toMatch(/^(select|with) /)
  expect(Object.fromEntries(forms.map((form) => [form, sqlOf(form)]))).toEqual(Object.fromEntries(forms.map((form) => [form, sqlOf(first)])))
})

test('a word that changes the question changes the SQL', () => {
  const base = sqlOf('ARR by region at the end of last quarter')
  for (const other of [
    'MRR by region at the end of last quarter',
    'ARR by country at the end of last quarter',
    'ARR by region at the end of this quarter',
    'ARR by region in Europe at the end of last quarter',
    'top ARR by region at the end of last quarter',
    'ARR by region and month',
  ]) {
    expect(sqlOf(other), other).not.toBe(base)
  }
})
