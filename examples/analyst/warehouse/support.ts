import { completeUntil, dataFrom, today, weekday, type Day } from './calendar.ts'
import type { Company } from './company.ts'
import type { Employee } from './staff.ts'
import type { Life } from './life.ts'
import { incidents, singaporeDesk, supportShortage, type ProductId } from './world.ts'

type Category = 'outage' | 'bug' | 'how_to' | 'billing' | 'integration' | 'feature_request'
type Priority = 'urgent' | 'high' | 'normal' | 'low'
export type Ticket = {
  accountId: number
  personId: number
  productId: ProductId
  agentId: number | null
  category: Category
  priority: Priority
  contactChannel: 'email' | 'chat' | 'phone'
  /** Minutes since 1970. */
  openedAt: number
  firstResponseAt: number | null
  resolvedAt: number | null
  satisfaction: number | null
}

const categoryMix: Readonly<Record<ProductId, Partial<Record<Category, number>>>> = {
  dispatch: { bug: 24, how_to: 42, billing: 14, integration: 6, feature_request: 14 },
  track: { bug: 31, how_to: 34, billing: 12, integration: 11, feature_request: 12 },
  insight: { bug: 19, how_to: 46, billing: 8, integration: 7, feature_request: 20 },
  connect: { bug: 22, how_to: 20, billing: 6, integration: 46, feature_request: 6 },
}
const hoursToAnswer = { urgent: 0.6, high: 2.2, normal: 6.5, low: 15 } as const
const hoursToSolve = { urgent: 5, high: 15, normal: 32, low: 70 } as const
const effort = { outage: 0.8, bug: 2.3, how_to: 0.5, billing: 0.6, integration: 1.7, feature_request: 2.6 } as const
const endOfData = (completeUntil + 1) * 1_440

/** The tickets of a company: a steady trickle, and more when something of theirs broke. `people` says who may ask. */
export function askSupport(company: Company, life: Life, people: readonly number[], employees: readonly Employee[]): Ticket[] {
  const tickets: Ticket[] = []
  for (const subscription of life.subscriptions) {
    const { productId } = subscription
    const from = Math.max(dataFrom, subscription.startedOn)
    const to = Math.min(completeUntil, (subscription.endedOn ?? today) - 1)
    const daily = (0.35 + Math.sqrt(company.seats) * 0.13) / 30 / (productId === 'dispatch' ? 1 : 1.7)
    for (let on = from; on <= to; on++) {
      const trouble = incidents.find(
        (item) => item.productId === productId && (item.region ?? company.region) === company.region && on >= item.startedOn && on <= item.endedOn + 1,
      )
      const rate = daily * (weekday(on) > 4 ? 0.25 : 1.3) * (on - subscription.startedOn < 30 ? 2.2 : 1)
      for (let left = company.random.around(rate); left > 0; left--) tickets.push(makeTicket(company, productId, on, null, people, employees))
      for (let left = trouble ? company.random.around(rate * trouble.tickets) : 0; left > 0; left--)
        tickets.push(makeTicket(company, productId, on, 'outage', people, employees))
    }
  }
  return tickets
}

function makeTicket(
  { id, random, segment, region }: Company,
  productId: ProductId,
  on: Day,
  because: 'outage' | null,
  people: readonly number[],
  employees: readonly Employee[],
): Ticket {
  const category = because ?? random.weighted<Category>(categoryMix[productId])
  const priority = random.weighted<Priority>(
    category === 'outage'
      ? { urgent: 55, high: 45 }
      : segment === 'enterprise'
        ? { urgent: 8, high: 28, normal: 48, low: 16 }
        : { urgent: 3, high: 15, normal: 56, low: 26 },
  )
  const openedAt = on * 1_440 + random.integer(0, 1_439)
  const slower =
    (on >= supportShortage.from && on <= supportShortage.to ? supportShortage.slower : 1) *
    (region === 'Asia Pacific' && on < singaporeDesk ? 1.9 : 1) *
    (category === 'outage' ? 1.6 : 1)
  const answerHours = hoursToAnswer[priority] * skewed(random) * slower + (weekday(on) > 4 && priority !== 'urgent' ? 14 : 0)
  const solveHours = hoursToSolve[priority] * effort[category] * skewed(random) * (1 + (slower - 1) * 0.5)
  const firstResponseAt = openedAt + Math.max(2, Math.round(answerHours * 60))
  const resolvedAt = firstResponseAt + Math.max(3, Math.round(solveHours * 60))
  const mood =
    4.75 -
    Math.min(2.2, (slower - 1) * 0.75) -
    { outage: 1.2, bug: 0.55, how_to: 0, billing: 0.25, integration: 0.35, feature_request: 0.3 }[category] +
    random.bell() * 0.75
  const answered = firstResponseAt < endOfData
  const solved = resolvedAt < endOfData
  const desk = employees.filter((employee) => employee.team === 'support' && employee.hiredOn <= on)
  const agent = random.pick(desk)
  return {
    accountId: id,
    personId: random.pick(people),
    productId,
    agentId: answered ? agent.id : null,
    category,
    priority,
    contactChannel: random.weighted({ email: 52, chat: 36, phone: priority === 'urgent' ? 60 : 9 }),
    openedAt,
    firstResponseAt: answered ? firstResponseAt : null,
    resolvedAt: solved ? resolvedAt : null,
    satisfaction: solved && random.chance(0.33) ? Math.min(5, Math.max(1, Math.round(mood))) : null,
  }
}

/** Mostly around 1, sometimes far more: how long things take. */
const skewed = (random: Company['random']): number => random.between(0.35, 1.3) + (random.chance(0.14) ? random.between(0.5, 4) : 0)
