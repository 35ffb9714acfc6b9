import { addMonths, completeUntil, dataFrom, firstOfMonth, month, weekday, type Day } from './calendar.ts'
import type { Company } from './company.ts'
import type { Life, Period, Subscription } from './life.ts'
import { features, incidents, type ProductId } from './world.ts'

export type DailyUse = [accountId: number, productId: ProductId, on: Day, activeUsers: number, events: number, failed: number]
export type FeatureUse = [accountId: number, productId: ProductId, feature: string, monthOf: Day, events: number]

/** The share of a product's seats that use it on a working day, and what each of them does. */
const habit: Readonly<Record<ProductId, { share: number; events: number }>> = {
  dispatch: { share: 0.66, events: 11 },
  track: { share: 0.52, events: 34 },
  insight: { share: 0.16, events: 5 },
  connect: { share: 0.05, events: 260 },
}
const worksAtWeekends = new Set(['Logistics', 'Utilities', 'Healthcare'])
const winterHoliday = (on: Day): boolean => (month(on) === 12 && addMonths(firstOfMonth(on), 1) - on <= 8) || (month(on) === 1 && on === firstOfMonth(on))

/** What a company did with each of its products, day by day, and by feature and month. */
export function useProducts(company: Company, life: Life, daily: DailyUse[], monthly: FeatureUse[]): void {
  for (const subscription of life.subscriptions) {
    const periods = life.periods.filter((period) => period.subscription === subscription)
    const eventsOfMonth = useProduct(company, life, subscription, periods, daily)
    spread(company, subscription.productId, eventsOfMonth, monthly)
  }
}

function useProduct(company: Company, life: Life, subscription: Subscription, periods: readonly Period[], daily: DailyUse[]): Map<Day, number> {
  const { random } = company
  const { productId, startedOn } = subscription
  const eventsOfMonth = new Map<Day, number>()
  const keenness = random.between(0.6, 1.25)
  const weekend = worksAtWeekends.has(company.industry) ? 0.45 : 0.07
  const trouble = incidents.filter((item) => item.productId === productId && (item.region ?? company.region) === company.region)
  for (const period of periods) {
    const last = Math.min(completeUntil, period.to === null ? completeUntil : period.to - 1)
    for (let on = Math.max(dataFrom, period.from); on <= last; on++) {
      const learning = Math.min(1, 0.45 + (on - startedOn) / 90)
      // Whoever is about to leave uses it less and less.
      const fading = life.churnedOn !== null && !period.isTrial && life.churnedOn - on < 75 ? 0.4 + (0.6 * (life.churnedOn - on)) / 75 : 1
      const rhythm = (weekday(on) > 4 ? weekend : weekday(on) === 4 ? 0.92 : 1) * (winterHoliday(on) ? 0.5 : 1)
      const failing = trouble.find((item) => on >= item.startedOn && on <= item.endedOn)?.failing ?? 0
      const wish = period.seats * habit[productId].share * keenness * learning * Math.max(0, fading) * rhythm * (1 - failing * 0.8) * (1 + random.bell() * 0.08)
      const users = Math.min(period.seats, random.around(Math.max(0, wish)))
      if (users === 0) continue
      const events = Math.max(1, Math.round(users * habit[productId].events * (1 + random.bell() * 0.2)))
      daily.push([company.id, productId, on, users, events, Math.min(events, random.around(events * (0.004 + failing)))])
      const monthOf = firstOfMonth(on)
      eventsOfMonth.set(monthOf, (eventsOfMonth.get(monthOf) ?? 0) + events)
    }
  }
  return eventsOfMonth
}

/** Divides a month's events among the product's features, each company in its own proportion. */
function spread({ id, random }: Company, productId: ProductId, eventsOfMonth: ReadonlyMap<Day, number>, monthly: FeatureUse[]): void {
  const taste = Object.entries(features[productId]).map(([feature, { share, launchedOn = 0 }]) => ({
    feature,
    launchedOn,
    weight: random.chance(0.87) ? share * random.between(0.5, 1.6) : 0,
  }))
  for (const [monthOf, events] of eventsOfMonth) {
    // A new feature takes a year until all know it.
    const weights = taste.map((item) => item.weight * Math.min(1, Math.max(0, (monthOf - item.launchedOn) / 365)))
    const total = weights.reduce((sum, weight) => sum + weight, 0)
    taste.forEach(({ feature }, index) => {
      const count = total === 0 ? 0 : Math.round((events * (weights[index] ?? 0)) / total)
      if (count > 0) monthly.push([id, productId, feature, monthOf, count])
    })
  }
}
