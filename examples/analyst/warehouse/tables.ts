import { bill, type Invoice } from './billing.ts'
import type { Day } from './calendar.ts'
import { makeCompanies, type Company } from './company.ts'
import { live, type Life } from './life.ts'
import { domain, email, personName } from './names.ts'
import { hireStaff, makePeople, managerOf } from './staff.ts'
import { askSupport } from './support.ts'
import { useProducts, type DailyUse, type FeatureUse } from './usage.ts'
import { incidents, products, seatCents, tiers } from './world.ts'

/** Dates are day numbers, timestamps are minutes since 1970, money is cents; the column's type tells which. */
export type Value = string | number | boolean | null
export type Table = { name: string; columns: readonly string[]; rows: readonly (readonly Value[])[] }

/** Makes all tables of the warehouse: always the same rows. */
export function makeTables(): Table[] {
  const staff = hireStaff()
  const [nextSubscription, nextPerson] = [counter(), counter()]
  const accounts: Value[][] = []
  const people: Value[][] = []
  const daily: DailyUse[] = []
  const monthly: FeatureUse[] = []
  const lives: Life[] = []
  const invoices: Invoice[] = []
  const tickets: ReturnType<typeof askSupport> = []
  for (const company of makeCompanies()) {
    const life = live(company, nextSubscription)
    const persons = makePeople(company, life, nextPerson)
    accounts.push(accountRow(company, life, managerOf(company, staff)))
    for (const one of persons) people.push([one.id, one.accountId, one.name, one.email, one.phone, one.role, one.createdOn, one.deactivatedOn])
    useProducts(company, life, daily, monthly)
    tickets.push(
      ...askSupport(
        company,
        life,
        persons.map((one) => one.id),
        staff,
      ),
    )
    invoices.push(...bill(company, life))
    lives.push(life)
  }
  tickets.sort((a, b) => a.openedAt - b.openedAt || a.accountId - b.accountId)
  invoices.sort((a, b) => a.issuedOn - b.issuedOn || a.accountId - b.accountId)
  daily.sort((a, b) => a[2] - b[2])
  return [
    { name: 'accounts', columns: accountColumns, rows: accounts },
    { name: 'people', columns: ['person_id', 'account_id', 'full_name', 'email', 'phone', 'role', 'created_on', 'deactivated_on'], rows: people },
    {
      name: 'employees',
      columns: ['employee_id', 'employee_name', 'team', 'home_region', 'hired_on', 'email', 'mobile_phone'],
      rows: staff.map((one) => [one.id, one.name, one.team, one.region, one.hiredOn, one.email, one.phone]),
    },
    { name: 'products', columns: ['product_id', 'product_name', 'launched_on'], rows: products.map((one) => [one.id, one.name, one.launchedOn]) },
    {
      name: 'plans',
      columns: ['plan_id', 'product_id', 'tier', 'seat_price_usd'],
      rows: products.flatMap(({ id }) => tiers.map((tier) => [`${id}_${tier}`, id, tier, seatCents[id][tier][1]])),
    },
    ...subscriptionTables(lives),
    ...invoiceTables(invoices),
    { name: 'usage_daily', columns: ['account_id', 'product_id', 'used_on', 'active_users', 'events', 'failed_events'], rows: daily },
    { name: 'feature_usage', columns: ['account_id', 'product_id', 'feature', 'used_in', 'events'], rows: monthly },
    {
      name: 'tickets',
      columns: [
        'ticket_id',
        'account_id',
        'person_id',
        'product_id',
        'agent_id',
        'category',
        'priority',
        'contact_channel',
        'opened_at',
        'opened_on',
        'first_response_at',
        'resolved_at',
        'resolved_on',
        'satisfaction',
      ],
      rows: tickets.map((one, index) => [
        index + 1,
        one.accountId,
        one.personId,
        one.productId,
        one.agentId,
        one.category,
        one.priority,
        one.contactChannel,
        one.openedAt,
        dayOf(one.openedAt),
        one.firstResponseAt,
        one.resolvedAt,
        one.resolvedAt === null ? null : dayOf(one.resolvedAt),
        one.satisfaction,
      ]),
    },
    {
      name: 'incidents',
      columns: ['incident_id', 'product_id', 'affected_region', 'severity', 'title', 'started_on', 'ended_on'],
      rows: incidents.map((one, index) => [index + 1, one.productId, one.region, one.severity, one.title, one.startedOn, one.endedOn]),
    },
  ]
}

const dayOf = (minutes: number): Day => Math.floor(minutes / 1_440)

function counter(): () => number {
  let last = 0
  return () => ++last
}

const accountColumns = [
  'account_id',
  'account_name',
  'region',
  'country',
  'industry',
  'segment',
  'channel',
  'status',
  'employees_count',
  'account_manager_id',
  'trial_started_on',
  'customer_since',
  'churned_on',
  'billing_email',
]

function accountRow(company: Company, life: Life, managerId: number): Value[] {
  const status =
    life.customerSince === null ? (life.subscriptions[0]?.endedOn === null ? 'trial' : 'expired') : life.churnedOn === null ? 'customer' : 'churned'
  const billingEmail = email(personName(company.random), domain(company.id, company.name))
  return [
    company.id,
    company.name,
    company.region,
    company.country,
    company.industry,
    company.segment,
    company.channel,
    status,
    company.employees,
    managerId,
    life.trialStartedOn,
    life.customerSince,
    life.churnedOn,
    billingEmail,
  ]
}

function subscriptionTables(lives: readonly Life[]): Table[] {
  const subscriptions: Value[][] = []
  const periods: Value[][] = []
  const movements: Value[][] = []
  lives.forEach((life, index) => {
    const accountId = index + 1
    for (const one of life.subscriptions) subscriptions.push([one.id, accountId, one.productId, one.billing, one.startedOn, one.endedOn, one.endReason])
    for (const one of life.periods)
      periods.push([
        periods.length + 1,
        one.subscription.id,
        accountId,
        `${one.subscription.productId}_${one.tier}`,
        one.isTrial,
        one.seats,
        one.cents,
        one.from,
        one.to,
      ])
    for (const one of life.movements)
      movements.push([
        movements.length + 1,
        accountId,
        one.subscription.id,
        `${one.subscription.productId}_${one.tier}`,
        one.on,
        one.kind,
        one.cents,
        one.isEnd ?? false,
      ])
  })
  return [
    {
      name: 'subscriptions',
      columns: ['subscription_id', 'account_id', 'product_id', 'billing_cycle', 'started_on', 'ended_on', 'end_reason'],
      rows: subscriptions,
    },
    {
      name: 'subscription_periods',
      columns: ['period_id', 'subscription_id', 'account_id', 'plan_id', 'is_trial', 'seats', 'mrr_usd', 'valid_from', 'valid_to'],
      rows: periods,
    },
    {
      name: 'mrr_movements',
      columns: ['movement_id', 'account_id', 'subscription_id', 'plan_id', 'moved_on', 'movement', 'amount_usd', 'is_cancellation'],
      rows: movements,
    },
  ]
}

function invoiceTables(all: readonly Invoice[]): Table[] {
  const lines: Value[][] = []
  const payments: Value[][] = []
  const invoices = all.map((one, index): Value[] => {
    const id = index + 1
    for (const line of one.lines)
      lines.push([lines.length + 1, id, one.accountId, line.subscription.id, `${line.subscription.productId}_${line.tier}`, one.issuedOn, line.cents])
    for (const payment of one.payments) payments.push([payments.length + 1, id, one.accountId, payment.on, payment.method, payment.outcome, payment.cents])
    return [id, one.accountId, one.issuedOn, one.dueOn, one.paidOn, one.status, one.cents]
  })
  return [
    { name: 'invoices', columns: ['invoice_id', 'account_id', 'issued_on', 'due_on', 'paid_on', 'status', 'amount_usd'], rows: invoices },
    { name: 'invoice_lines', columns: ['line_id', 'invoice_id', 'account_id', 'subscription_id', 'plan_id', 'issued_on', 'amount_usd'], rows: lines },
    { name: 'payments', columns: ['payment_id', 'invoice_id', 'account_id', 'attempted_on', 'method', 'outcome', 'amount_usd'], rows: payments },
  ]
}
