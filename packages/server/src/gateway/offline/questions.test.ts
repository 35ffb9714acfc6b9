// Questions over the example's warehouse, each against SQL that was written for it by hand and knows nothing of the semantic layer.
import { beforeAll, expect, test } from 'vitest'
import { fileURLToPath } from 'node:url'
import { runQuery } from '../../../../../examples/analyst/querying/index.ts'
import { sharedWarehouse } from '../../../../../examples/analyst/warehouse/testing.ts'
import { compilerFor } from './testing.ts'

const { compile } = compilerFor(fileURLToPath(new URL('../../../../../examples/analyst/agent/sandbox/workspace/semantic', import.meta.url)))
let warehouse: Awaited<ReturnType<typeof sharedWarehouse>>
beforeAll(async () => {
  warehouse = await sharedWarehouse()
}, 180_000)

async function rowsOf(sql: string): Promise<unknown[][]> {
  const result = await runQuery({ dataDir: warehouse.dataDir, access: { personalData: true }, sql })
  if (result.error) throw new Error(`${result.error.message}\n${sql}`)
  return result.rows
}

const rounded = (value: unknown): unknown => (typeof value === 'number' ? Number(value.toPrecision(9)) : value)
const comparable = (rows: readonly unknown[][], width: number): unknown[][] =>
  rows.map((row) => row.slice(0, width).map(rounded)).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1))

// States of subscriptions at the end of a day; flows between two days, both included.
const on = (day: string, what = 'sum(mrr_usd)', more = '', by = '') =>
  `select ${by && `${by}, `}${what} from subscription_periods sp join accounts a on a.account_id = sp.account_id join plans l on l.plan_id = sp.plan_id join products p on p.product_id = l.product_id left join employees m on m.employee_id = a.account_manager_id
   where not is_trial and valid_from <= '${day}' and coalesce(valid_to, '2999-01-01') > '${day}' ${more} ${by && `group by ${by}`}`
const arr = (day: string, more = '', by = '') => on(day, '12 * sum(mrr_usd)', more, by)
const customers = (day: string, more = '', by = '') => on(day, 'count(distinct sp.account_id)', more, by)
const moved = (kind: string, first: string, last: string, what = 'abs(sum(amount_usd))', more = '', by = '') =>
  `select ${by && `${by}, `}${what} from mrr_movements v join accounts a on a.account_id = v.account_id join plans l on l.plan_id = v.plan_id join products p on p.product_id = l.product_id left join subscriptions s on s.subscription_id = v.subscription_id
   where movement in (${kind}) and moved_on between '${first}' and '${last}' ${more} ${by && `group by ${by}`}`
const tickets = (first: string, last: string, more = '', by = '', what = 'count(*)', day = 'opened_on') =>
  `select ${by && `${by}, `}${what} from tickets t join accounts a on a.account_id = t.account_id join products p on p.product_id = t.product_id left join employees g on g.employee_id = t.agent_id where ${day} between '${first}' and '${last}' ${more} ${by && `group by ${by}`}`
const invoiced = (first: string, last: string, more = '', by = '') =>
  `select ${by && `${by}, `}sum(i.amount_usd) from invoice_lines i join accounts a on a.account_id = i.account_id join plans l on l.plan_id = i.plan_id join products p on p.product_id = l.product_id join subscriptions s on s.subscription_id = i.subscription_id
   where i.issued_on between '${first}' and '${last}' ${more} ${by && `group by ${by}`}`
const one = (inner: string) => `(${inner})`
const side = (...parts: string[]) => `select ${parts.map(one).join(', ')}`

/** Both figures and the change between them, absolute and in percent. */
const changed = (earlier: string, later: string) => `select a, b, b - a, 100.0 * (b - a) / a from (select (${earlier}) as a, (${later}) as b)`
const trials = (first: string, last: string) => `select count(*) from accounts where trial_started_on between '${first}' and '${last}'`

const today = '2026-11-18'
const quarterEnds = [
  ['FY2026 Q4', '2026-01-31'],
  ['FY2027 Q1', '2026-04-30'],
  ['FY2027 Q2', '2026-07-31'],
  ['FY2027 Q3', '2026-10-31'],
] as const
const q3 = ['2026-08-01', '2026-10-31'] as const // The last fiscal quarter that is over.
const q2 = ['2026-05-01', '2026-07-31'] as const
const fy26 = ['2025-02-01', '2026-01-31'] as const
const y25 = ['2025-01-01', '2025-12-31'] as const

const cases: [question: string, truth: string][] = [
  // States
  ['What is our current ARR?', arr(today)],
  ['当前ARR是多少？', arr(today)],
  ["What's our MRR?", on(today)],
  ['What was our ARR at the end of last quarter, by region?', arr(q3[1], '', 'region')],
  ['上季度末各地区的年度经常性收入是多少', arr(q3[1], '', 'region')],
  ['How much MRR did we have at the end of March 2026?', on('2026-03-31')],
  ['2026年3月底的MRR是多少', on('2026-03-31')],
  ['How many paying customers did we have on 31 December 2025?', customers('2025-12-31')],
  ['2025年12月31日有多少付费客户', customers('2025-12-31')],
  ['How many customers do we have in Germany?', customers(today, "and country = 'Germany'")],
  ['德国有多少家客户', customers(today, "and country = 'Germany'")],
  ['北美以外的客户数', customers(today, "and region <> 'North America'")],
  ['有多少大客户', customers(today, "and segment = 'enterprise'")],
  ['ARR as of 2026-06-30', arr('2026-06-30')],
  ['ARR at year end 2025', arr('2025-12-31')],
  ['去年年底的客户数', customers('2026-01-31')],
  ['MRR at the beginning of the year', on('2026-01-31')],
  ['ARR in March', arr('2026-03-31')],
  ['ARR Q3 FY26', arr('2025-10-31')],
  ['customers a year ago', customers('2025-11-18')],
  ['ARR excluding enterprise', arr(today, "and segment <> 'enterprise'")],
  ['除了欧洲,各地区的ARR是多少?', arr(today, "and region <> 'Europe'", 'region')],
  ['ARR of mid-market customers in the US and Canada', arr(today, "and segment = 'mid_market' and country in ('United States', 'Canada')", 'country')],
  ['combined ARR of mid-market customers in the US and Canada', arr(today, "and segment = 'mid_market' and country in ('United States', 'Canada')")],
  ['美国和加拿大的中型企业ARR', arr(today, "and segment = 'mid_market' and country in ('United States', 'Canada')", 'country')],
  ['MRR by region and product', on(today, 'sum(mrr_usd)', '', 'region, product_name')],
  ["What's the total number of seats for Kestrel Track in Europe?", on(today, 'sum(seats)', "and product_name = 'Kestrel Track' and region = 'Europe'")],
  ['active subscriptions by plan', on(today, 'count(distinct subscription_id)', '', 'tier')],
  [
    'How many users are registered, by role?',
    `select role, count(*) from people where created_on <= '${today}' and coalesce(deactivated_on, '2999-01-01') > '${today}' group by 1`,
  ],
  [
    'What are our outstanding receivables?',
    `select sum(amount_usd) from invoices where status <> 'void' and issued_on <= '${today}' and coalesce(paid_on, '2999-01-01') > '${today}'`,
  ],
  [
    '各国家的逾期应收账款',
    `select country, sum(amount_usd) from invoices i join accounts a using (account_id) where i.status <> 'void' and issued_on <= '${today}' and coalesce(paid_on, '2999-01-01') > '${today}' and due_on < '${today}' group by 1`,
  ],
  ['How many open tickets do we have?', `select count(*) from tickets where opened_on <= '${today}' and coalesce(resolved_on, '2999-01-01') > '${today}'`],
  [
    '未解决工单按优先级分布',
    `select priority, count(*) from tickets where opened_on <= '${today}' and coalesce(resolved_on, '2999-01-01') > '${today}' group by 1`,
  ],
  // Flows
  ['上季度各产品的新增 MRR', moved("'new'", ...q3, undefined, '', 'product_name')],
  [
    'monthly churned MRR this fiscal year in EMEA',
    `select strftime(m, '%Y-%m'), coalesce((select -sum(amount_usd) from mrr_movements v join accounts a using (account_id) where movement = 'churn' and region = 'Europe' and date_trunc('month', moved_on) = m), 0) from generate_series(date '2026-02-01', date '2026-11-01', interval 1 month) as s(m)`,
  ],
  ['How many enterprise customers churned last quarter?', moved("'churn'", ...q3, 'count(distinct v.account_id)', "and segment = 'enterprise'")],
  ['Churned customers by reason for leaving in 2025', moved("'churn'", ...y25, 'count(distinct v.account_id)', '', 'end_reason')],
  ['按流失原因统计去年的流失客户数', moved("'churn'", ...fy26, 'count(distinct v.account_id)', '', 'end_reason')],
  ['new customers in the first half of fiscal 2027', moved("'new'", '2026-02-01', '2026-07-31', 'count(distinct v.account_id)')],
  ['How many customers did we lose in fiscal 2026?', moved("'churn'", ...fy26, 'count(distinct v.account_id)')],
  [
    'net new MRR by movement type last quarter',
    `select movement, sum(amount_usd) from mrr_movements where moved_on between '${q3[0]}' and '${q3[1]}' group by 1`,
  ],
  ['new MRR from the partner channel in Germany last quarter', moved("'new'", ...q3, undefined, "and channel = 'partner' and country = 'Germany'")],
  ['What was total invoiced revenue in fiscal year 2026?', invoiced(...fy26)],
  ['2026财年的总收入', invoiced(...fy26)],
  ['Revenue in FY2026 by product', invoiced(...fy26, '', 'product_name')],
  ['按产品拆分的开票收入，2025年', invoiced(...y25, '', 'product_name')],
  ['2026财年第三季度北美地区的开票收入是多少', invoiced('2025-08-01', '2025-10-31', "and region = 'North America'")],
  ['revenue from January to March 2026', invoiced('2026-01-01', '2026-03-31')],
  ['2026年1月到3月的开票收入', invoiced('2026-01-01', '2026-03-31')],
  ['revenue in calendar Q1 2026', invoiced('2026-01-01', '2026-03-31')],
  ['year to date revenue', invoiced('2026-02-01', '2026-11-17')],
  ['revenue from annual subscriptions last quarter', invoiced(...q3, "and billing_cycle = 'annual'")],
  ['How much did we bill in Q2?', invoiced(...q2)],
  [
    'How much cash did we collect last month?',
    `select sum(amount_usd) from payments where outcome = 'succeeded' and attempted_on between '2026-10-01' and '2026-10-31'`,
  ],
  [
    'payment failure rate by payment method in the last 6 months',
    `select method, 100.0 * avg(case when outcome = 'failed' then 1 else 0 end) from payments where attempted_on between '2026-05-01' and '2026-10-31' group by 1`,
  ],
  [
    'How long do customers take to pay on average?',
    `select avg(paid_on - issued_on) from invoices where status = 'paid' and paid_on between '${q3[0]}' and '${q3[1]}'`,
  ],
  ['How many tickets with high priority were opened in March 2026?', tickets('2026-03-01', '2026-03-31', "and priority = 'high'")],
  ['上个月高优先级工单的数量', tickets('2026-10-01', '2026-10-31', "and priority = 'high'")],
  ['tickets with high or urgent priority last month', tickets('2026-10-01', '2026-10-31', "and priority in ('high', 'urgent')")],
  ['tickets opened since September', tickets('2026-09-01', '2026-11-17')],
  ['tickets in the last 30 days by priority', tickets('2026-10-19', '2026-11-17', '', 'priority')],
  ['tickets opened yesterday', tickets('2026-11-17', '2026-11-17')],
  ['bug tickets for Track in August', tickets('2026-08-01', '2026-08-31', "and category = 'bug' and product_name = 'Kestrel Track'")],
  ['tickets that came in by email last month', tickets('2026-10-01', '2026-10-31', "and contact_channel = 'email'")],
  ['How many support tickets were closed in October 2026?', tickets('2026-10-01', '2026-10-31', '', '', 'count(*)', 'resolved_on')],
  [
    'average resolution time by category last 90 days',
    tickets('2026-08-20', '2026-11-17', '', 'category', "avg(date_diff('minute', opened_at, resolved_at)) / 60", 'resolved_on'),
  ],
  [
    '各工单类别的平均解决时长，最近90天',
    tickets('2026-08-20', '2026-11-17', '', 'category', "avg(date_diff('minute', opened_at, resolved_at)) / 60", 'resolved_on'),
  ],
  [
    'first response time for urgent tickets in September 2026',
    tickets('2026-09-01', '2026-09-30', "and priority = 'urgent'", '', "avg(date_diff('minute', opened_at, first_response_at)) / 60"),
  ],
  [
    'CSAT by support agent last quarter',
    tickets(...q3, 'and satisfaction is not null', 'employee_name', '100.0 * avg(case when satisfaction > 3 then 1 else 0 end)', 'resolved_on'),
  ],
  [
    'error rate for Kestrel Connect last week',
    `select 100.0 * sum(failed_events) / sum(events) from usage_daily where product_id = 'connect' and used_on between '2026-11-09' and '2026-11-15'`,
  ],
  [
    'daily active users by product last month',
    `select product_name, avg(n) from (select product_id, used_on, sum(active_users) n from usage_daily where used_on between '2026-10-01' and '2026-10-31' group by all) d join products using (product_id) group by 1`,
  ],
  [
    'usage of dashboards in Q2 by segment',
    `select segment, sum(events) from feature_usage join accounts using (account_id) where feature = 'dashboards' and used_in between '2026-05-01' and '2026-07-01' group by 1`,
  ],
  ['今年发生了几次重大事故', `select count(*) from incidents where severity = 'major' and started_on between '2026-02-01' and '2026-11-17'`],
  [
    'trial conversion rate by channel this year',
    `select channel, 100.0 * count(customer_since) / count(*) from accounts where trial_started_on between '2026-02-01' and '2026-11-17' group by 1`,
  ],
  // Ratios
  [
    'What was net revenue retention last quarter?',
    `with s as (${on('2026-07-31', 'sum(mrr_usd) m')}), f as (select sum(amount_usd) m from mrr_movements where movement in ('expansion', 'contraction', 'churn') and moved_on between '${q3[0]}' and '${q3[1]}') select 100.0 * (s.m + f.m) / s.m from s, f`,
  ],
  [
    '上个季度的净收入留存率是多少？',
    `with s as (${on('2026-07-31', 'sum(mrr_usd) m')}), f as (select sum(amount_usd) m from mrr_movements where movement in ('expansion', 'contraction', 'churn') and moved_on between '${q3[0]}' and '${q3[1]}') select 100.0 * (s.m + f.m) / s.m from s, f`,
  ],
  [
    '哪个地区的客户流失率最高?',
    `with s as (${on('2026-07-31', 'count(distinct sp.account_id) c', '', 'region')}), f as (${moved("'churn'", ...q3, 'count(distinct v.account_id) n', '', 'region')}) select s.region, 100.0 * n / c r from s join f using (region) order by r desc limit 1`,
  ],
  ['average revenue per account in Europe', on(q3[1], 'sum(mrr_usd) / count(distinct sp.account_id)', "and region = 'Europe'")],
  [
    'tickets per customer by region last quarter',
    `with t as (${tickets(...q3, '', 'region', 'count(*) n')}), c as (${on(q3[1], 'count(distinct sp.account_id) n', '', 'region')}) select region, t.n / c.n from t join c using (region)`,
  ],
  ['revenue per customer in 2025', `select (${invoiced(...y25)}) / (${customers('2025-12-31')})`],
  [
    'quarterly logo churn rate in FY2026',
    `select * from (values ${[
      ['FY2026 Q1', '2025-02-01', '2025-04-30', '2025-01-31'],
      ['FY2026 Q2', '2025-05-01', '2025-07-31', '2025-04-30'],
      ['FY2026 Q3', '2025-08-01', '2025-10-31', '2025-07-31'],
      ['FY2026 Q4', '2025-11-01', '2026-01-31', '2025-10-31'],
    ]
      .map(
        ([label, first = '', last = '', before = '']) =>
          `('${label}', 100.0 * (${moved("'churn'", first, last, 'count(distinct v.account_id)')}) / (${customers(before)}))`,
      )
      .join(', ')})`,
  ],
  [
    'major incidents by month in 2025',
    `select strftime(m, '%Y-%m'), (select count(*) from incidents where severity = 'major' and date_trunc('month', started_on) = m) from generate_series(date '2025-01-01', date '2025-12-01', interval 1 month) as s(m)`,
  ],
  // Rankings
  ['Top 5 accounts by invoiced revenue in 2025', `${invoiced(...y25, '', 'account_name')} order by 2 desc limit 5`],
  ['List the top ten customers in Asia Pacific by ARR', `${arr(today, "and region = 'Asia Pacific'", 'account_name')} order by 2 desc limit 10`],
  ['客户数最多的前三个国家', `${customers(today, '', 'country')} order by 2 desc limit 3`],
  ['bottom 3 countries by number of customers', `${customers(today, '', 'country')} order by 2 limit 3`],
  ['Who are the top 10 account managers by ARR?', `${arr(today, '', 'employee_name')} order by 2 desc limit 10`],
  ['Which five accounts opened the most tickets last quarter?', `${tickets(...q3, '', 'account_name')} order by 2 desc, 1 limit 5`],
  [
    '逾期应收账款最多的五个客户',
    `select account_name, sum(amount_usd) from invoices i join accounts a using (account_id) where i.status <> 'void' and issued_on <= '${today}' and coalesce(paid_on, '2999-01-01') > '${today}' and due_on < '${today}' group by 1 order by 2 desc limit 5`,
  ],
  ['Which region has the highest ARR?', `${arr(today, '', 'region')} order by 2 desc limit 1`],
  ['哪个行业的客户最多', `${customers(today, '', 'industry')} order by 2 desc limit 1`],
  [
    'which month had the most new customers',
    `select strftime(date_trunc('month', moved_on), '%Y-%m'), count(distinct account_id) from mrr_movements where movement = 'new' and moved_on between '2025-11-01' and '2026-10-31' group by 1 order by 2 desc limit 1`,
  ],
  ['What is the most common ticket category?', `${tickets(...q3, '', 'category')} order by 2 desc limit 1`],
  [
    'most used feature in Q3',
    `select feature, sum(events) from feature_usage where used_in between '2026-08-01' and '2026-10-01' group by 1 order by 2 desc limit 1`,
  ],
  [
    'top 3 industries by ARR in each region',
    `select industry, region, v from (select *, row_number() over (partition by region order by v desc) k from (${on(today, '12 * sum(mrr_usd) v', '', 'industry, region')})) where k <= 3`,
  ],
  // Nouns that are mentioned, and not to be split by
  [
    'Which features are used the most by customers in Asia Pacific?',
    `select feature, sum(events) from feature_usage join accounts using (account_id) where region = 'Asia Pacific' and used_in between '2026-08-01' and '2026-10-31' group by 1`,
  ],
  ['How many tickets were opened by customers in Germany last month?', tickets('2026-10-01', '2026-10-31', "and country = 'Germany'")],
  [
    "What's our customer satisfaction score for each support channel this year?",
    tickets(
      '2026-02-01',
      '2026-11-17',
      'and satisfaction is not null',
      'contact_channel',
      '100.0 * avg(case when satisfaction > 3 then 1 else 0 end)',
      'resolved_on',
    ),
  ],
  [
    'What is our customer satisfaction score?',
    tickets(...q3, 'and satisfaction is not null', '', '100.0 * avg(case when satisfaction > 3 then 1 else 0 end)', 'resolved_on'),
  ],
  [
    'What percentage of payments failed in September?',
    `select 100.0 * avg(case when outcome = 'failed' then 1 else 0 end) from payments where attempted_on between '2026-09-01' and '2026-09-30'`,
  ],
  [
    'Trial conversion by acquisition channel over the last year',
    `select channel, 100.0 * count(customer_since) / count(*) from accounts where trial_started_on between '2025-11-01' and '2026-10-31' group by 1`,
  ],
  ['How much did we invoice in total last month?', invoiced('2026-10-01', '2026-10-31')],
  ['How quickly do we answer urgent tickets?', tickets(...q3, "and priority = 'urgent'", '', "avg(date_diff('minute', opened_at, first_response_at)) / 60.0")],
  ["What's the split of ARR between regions?", arr(today, '', 'region')],
  // Comparisons
  ['tickets last 30 days vs previous 30 days', side(tickets('2026-09-19', '2026-10-18'), tickets('2026-10-19', '2026-11-17'))],
  ['revenue in the first half of 2026', invoiced('2026-01-01', '2026-06-30')],
  ['2026年上半年的开票收入', invoiced('2026-01-01', '2026-06-30')],
  ['compare ARR Q1 vs Q2', side(arr('2026-04-30'), arr('2026-07-31'))],
  ['Q1和Q2的ARR差多少', side(arr('2026-04-30'), arr('2026-07-31'))],
  ['growth of customers year over year', side(customers('2025-11-18'), customers(today))],
  ['How did ARR change in the last quarter?', side(arr('2026-07-31'), arr('2026-10-31'))],
  ['How much did revenue grow in FY2026 compared to FY2025?', side(invoiced('2024-02-01', '2025-01-31'), invoiced(...fy26))],
  ['revenue last quarter compared to the same quarter last year', side(invoiced('2025-08-01', '2025-10-31'), invoiced(...q3))],
  ['tickets this month vs last month', side(tickets('2026-10-01', '2026-10-17'), tickets('2026-11-01', '2026-11-17'))],
  ['本月工单数与上月相比', side(tickets('2026-10-01', '2026-10-17'), tickets('2026-11-01', '2026-11-17'))],
  ['今年和去年的开票收入对比', side(invoiced('2025-02-01', '2025-11-17'), invoiced('2026-02-01', '2026-11-17'))],
  [
    'ARR growth year over year by region',
    `select region, o.v, n.v from (${on('2025-11-18', '12 * sum(mrr_usd) v', '', 'region')}) o join (${on(today, '12 * sum(mrr_usd) v', '', 'region')}) n using (region)`,
  ],
  ['compare churned MRR in Europe and North America last quarter', moved("'churn'", ...q3, undefined, "and region in ('Europe', 'North America')", 'region')],
  ['欧洲和亚太上季度的新增MRR分别是多少', moved("'new'", ...q3, undefined, "and region in ('Europe', 'Asia Pacific')", 'region')],
  [
    'Which segment had the largest increase in MRR since last year?',
    `select segment, o.v, n.v from (${on('2026-01-31', 'sum(mrr_usd) v', '', 'segment')}) o join (${on(today, 'sum(mrr_usd) v', '', 'segment')}) n using (segment) order by n.v - o.v desc limit 1`,
  ],
  ['expansion MRR vs contraction MRR last quarter', side(moved("'expansion'", ...q3), moved("'contraction'", ...q3))],
  // Shares
  ['percentage of ARR from Enterprise', side(arr(today, "and segment = 'enterprise'"), arr(today))],
  ['欧洲占ARR的比例是多少', side(arr(today, "and region = 'Europe'"), arr(today))],
  ['What percentage of tickets are urgent?', side(tickets(...q3, "and priority = 'urgent'"), tickets(...q3))],
  [
    "Enterprise's share of MRR in Europe",
    side(on(today, 'sum(mrr_usd)', "and segment = 'enterprise' and region = 'Europe'"), on(today, 'sum(mrr_usd)', "and region = 'Europe'")),
  ],
  [
    'What fraction of new customers came through partners last year?',
    side(moved("'new'", ...fy26, 'count(distinct v.account_id)', "and channel = 'partner'"), moved("'new'", ...fy26, 'count(distinct v.account_id)')),
  ],
  [
    '2025年各产品的收入占比',
    `select product_name, v, sum(v) over () from (${invoiced(...y25, '', 'product_name').replace('sum(i.amount_usd)', 'sum(i.amount_usd) v')})`,
  ],
  // Limits on figures
  [
    'How many accounts have more than 30 tickets in the last 12 months?',
    `select count(*) from (${tickets('2025-11-01', '2026-10-31', '', 'account_name', 'count(*) n')}) where n > 30`,
  ],
  ['ARR 超过 10 万美元的客户有多少家?', `select count(*) from (${on(today, '12 * sum(mrr_usd) v', '', 'account_name')}) where v > 100000`],
  ['customers with ARR above $500k', `select * from (${on(today, '12 * sum(mrr_usd) v', '', 'account_name')}) where v > 500000`],
  [
    'accounts with at least 200 seats in Asia Pacific',
    `select * from (${on(today, 'sum(seats) v', "and region = 'Asia Pacific'", 'account_name')}) where v >= 200`,
  ],
  ['industries with more than 100 customers', `select * from (${on(today, 'count(distinct sp.account_id) v', '', 'industry')}) where v > 100`],
  ['有多少客户的席位超过500个？', `select count(*) from (${on(today, 'sum(seats) v', '', 'account_name')}) where v > 500`],
  // Averages over time, lists, over time
  ['What is the average number of tickets per month in 2025?', `select (${tickets(...y25)}) / 12.0`],
  [
    '2025年月均新增客户',
    `select avg(n) from (select count(distinct account_id) n from mrr_movements where movement = 'new' and moved_on between '2025-01-01' and '2025-12-31' group by date_trunc('month', moved_on))`,
  ],
  ['How many tickets were created per day on average in October?', `select (${tickets('2026-10-01', '2026-10-31')}) / 31.0`],
  ['list of customers in Brazil', `select distinct account_name, 1 from (${on(today, '1', "and country = 'Brazil'", 'account_name')})`],
  ['Which customers churned last month?', moved("'churn'", '2026-10-01', '2026-10-31', 'count(distinct v.account_id)', '', 'account_name')],
  ['哪些客户上个月流失了？', moved("'churn'", '2026-10-01', '2026-10-31', 'count(distinct v.account_id)', '', 'account_name')],
  ['ARR by year', `select * from (values ('FY2025', (${arr('2025-01-31')})), ('FY2026', (${arr('2026-01-31')})))`],
  [
    '按季度的净新增MRR',
    `select 'FY' || year(moved_on + interval 11 month) || ' Q' || quarter(moved_on + interval 11 month), sum(amount_usd) from mrr_movements where moved_on between '2024-11-01' and '2026-10-31' group by 1`,
  ],
  [
    'month over month growth of MRR in the last 6 months',
    `select strftime(d, '%Y-%m'), v, v - lag(v) over (order by d) from (${['2026-04-30', '2026-05-31', '2026-06-30', '2026-07-31', '2026-08-31', '2026-09-30', '2026-10-31'].map((day) => `select date '${day}' d, (${on(day)}) v`).join(' union all ')}) qualify row_number() over (order by d) > 1`,
  ],
  [
    'quarterly ARR growth year over year in fiscal 2026',
    `select * from (values ${[
      ['FY2026 Q1', '2025-04-30', '2024-04-30'],
      ['FY2026 Q2', '2025-07-31', '2024-07-31'],
      ['FY2026 Q3', '2025-10-31', '2024-10-31'],
      ['FY2026 Q4', '2026-01-31', '2025-01-31'],
    ]
      .map(([label, now, then]) => `('${label}', (${arr(now ?? '')}), (${arr(then ?? '')}))`)
      .join(', ')})`,
  ],
  // The unit of a change
  ['By what percentage did ARR increase between the end of FY2025 and the end of FY2026?', changed(arr('2025-01-31'), arr('2026-01-31'))],
  ['How many percent more tickets did we get in October than in September?', changed(tickets('2026-09-01', '2026-09-30'), tickets('2026-10-01', '2026-10-31'))],
  ['2026财年的收入比上一财年增长了百分之多少？', changed(invoiced('2024-02-01', '2025-01-31'), invoiced(...fy26))],
  ['上季度的收入与前一季度相比变化了百分之几？', changed(invoiced(...q2), invoiced(...q3))],
  ['new trials last quarter versus a year earlier', changed(trials('2025-08-01', '2025-10-31'), trials(...q3))],
  // Each of several
  [
    'What was ARR at the end of each of the last four quarters?',
    `select * from (values ${quarterEnds.map(([label, day]) => `('${label}', (${arr(day)}))`).join(', ')})`,
  ],
  ['最近四个季度末的ARR分别是多少？', `select * from (values ${quarterEnds.map(([label, day]) => `('${label}', (${arr(day)}))`).join(', ')})`],
  ['各季度末的ARR，最近四个季度', `select * from (values ${quarterEnds.map(([label, day]) => `('${label}', (${arr(day)}))`).join(', ')})`],
  [
    'Revenue for each of the past two fiscal years',
    `select * from (values ('FY2025', (${invoiced('2024-02-01', '2025-01-31')})), ('FY2026', (${invoiced(...fy26)})))`,
  ],
  // A count of the figure, and one of the groups
  [
    'How many tickets did each support agent resolve last month? Only show those with more than 50.',
    `select employee_name, n from (${tickets('2026-10-01', '2026-10-31', '', 'g.employee_name', 'count(*) as n', 'resolved_on')}) where n > 50`,
  ],
  [
    'How many support agents resolved more than 50 tickets last month?',
    `select count(*) from (${tickets('2026-10-01', '2026-10-31', '', 'g.employee_name', 'count(*) as n', 'resolved_on')}) where n > 50`,
  ],
  ['How many features were used in October?', "select count(distinct feature) from feature_usage where used_in = '2026-10-01'"],
  ['How many times were features used in October?', "select sum(events) from feature_usage where used_in = '2026-10-01'"],
  ["What's the MRR of customers who aren't enterprise?", on(today, 'sum(mrr_usd)', "and segment <> 'enterprise'")],
  ['revenue in the last fiscal quarter', invoiced(...q3)],
  ['By how many percent did ARR grow last quarter compared with the quarter before?', changed(arr('2026-07-31'), arr('2026-10-31'))],
  [
    'revenue in the first quarter compared to the first quarter of the previous year',
    side(invoiced('2025-02-01', '2025-04-30'), invoiced('2026-02-01', '2026-04-30')),
  ],
  ['Top 3 countries by share of ARR', `select country, v from (${on(today, '12 * sum(mrr_usd) as v', '', 'country')}) order by v desc limit 3`],
  // Several in one figure
  [
    "What's the total MRR of our ten biggest customers?",
    `select sum(v) from (select sum(mrr_usd) v from (${on(today, 'sum(mrr_usd) as mrr_usd', '', 'account_name')}) group by account_name order by 1 desc limit 10)`,
  ],
  ['欧洲每个客户经理平均负责多少客户？', `select avg(v) from (${on(today, 'count(distinct sp.account_id) as v', "and region = 'Europe'", 'employee_name')})`],
  [
    'How many customers pay for more than one product?',
    `select count(*) from (${on(today, 'count(distinct product_name) as v', '', 'sp.account_id')}) where v > 1`,
  ],
  [
    '目前同时在用调度和追踪两款产品的付费客户有多少家？',
    `select count(*) from (${on(today, 'count(distinct product_name) as v', "and p.product_id in ('dispatch', 'track')", 'sp.account_id')}) where v = 2`,
  ],
  // Pace, people, short names
  [
    'Who resolved the most tickets last quarter?',
    `select employee_name, n from (${tickets(...q3, '', 'g.employee_name', 'count(*) as n', 'resolved_on')}) order by 2 desc limit 1`,
  ],
  [
    '上季度哪类工单解决得最慢？',
    `select category, h from (${tickets(...q3, '', 'category', "avg(date_diff('minute', opened_at, resolved_at)) / 60 as h", 'resolved_on')}) order by 2 desc limit 1`,
  ],
  ['各国的MRR', on(today, 'sum(mrr_usd)', '', 'country')],
  ['上个月电话渠道工单的数量', tickets('2026-10-01', '2026-10-31', "and contact_channel = 'phone'")],
  ['ARPA by plan today, lowest first', on(today, 'sum(mrr_usd) / count(distinct sp.account_id)', '', 'tier')],
  ['MRR by billing cycle', on(today, 'sum(sp.mrr_usd)', '', '(select billing_cycle from subscriptions s where s.subscription_id = sp.subscription_id)')],
  [
    'new customers per week over the last 8 weeks',
    `select strftime(date_trunc('week', moved_on), '%Y-%m-%d'), count(distinct account_id) from mrr_movements where movement = 'new' and moved_on between '2026-09-21' and '2026-11-15' group by 1`,
  ],
  [
    'backlog at the end of each month in 2026',
    `select strftime(m, '%Y-%m'), (select count(*) from tickets where opened_on <= least(last_day(m::date), date '${today}') and coalesce(resolved_on, '2999-01-01') > least(last_day(m::date), date '${today}')) from generate_series(date '2026-01-01', date '2026-11-01', interval 1 month) as s(m)`,
  ],
]

test.each(cases)('%s', async (question, truth) => {
  const compiled = compile(question)
  if ('problem' in compiled) throw new Error(`It was refused: ${compiled.problem}`)
  const expected = await rowsOf(truth)
  expect(expected.flat().some((cell) => cell !== null)).toBe(true) // A truth without figures would prove nothing.
  const width = expected[0]?.length ?? 0
  expect(comparable(await rowsOf(compiled.query.sql), width), compiled.query.sql).toEqual(comparable(expected, width))
})
