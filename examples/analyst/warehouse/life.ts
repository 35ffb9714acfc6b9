import { addMonths, completeUntil, month, type Day } from './calendar.ts'
import { onBillableDay, type Company } from './company.ts'
import type { Random } from './random.ts'
import { incidents, localRival, priceRise, products, seatCents, tiers, type ProductId, type Tier } from './world.ts'

export type Subscription = { id: number; productId: ProductId; billing: 'monthly' | 'annual'; startedOn: Day; endedOn: Day | null; endReason: string | null }
export type Period = { subscription: Subscription; tier: Tier; isTrial: boolean; seats: number; cents: number; from: Day; to: Day | null }
export type Movement = {
  subscription: Subscription
  tier: Tier
  on: Day
  kind: 'new' | 'expansion' | 'contraction' | 'churn' | 'reactivation' | 'transfer'
  cents: number
  /** The subscription ended with it. */
  isEnd?: boolean
}
export type Charge = { subscription: Subscription; tier: Tier; on: Day; cents: number }

/** What a company did: everything that the tables of subscriptions, MRR and invoices are made of. */
export type Life = {
  trialStartedOn: Day | null
  customerSince: Day | null
  churnedOn: Day | null
  subscriptions: Subscription[]
  periods: Period[]
  movements: Movement[]
  charges: Charge[]
}

/** A paid subscription as it stands while the months go by. */
type Standing = { subscription: Subscription; tier: Tier; seats: number; discount: number; priceOf: Day; cents: number; period: Period; sinceMonth: number }

const leavingPerMonth = { smb: 0.021, mid_market: 0.011, enterprise: 0.005 } as const
const tierMix = {
  smb: { starter: 54, team: 36, business: 10, scale: 0 },
  mid_market: { starter: 4, team: 44, business: 42, scale: 10 },
  enterprise: { starter: 0, team: 6, business: 40, scale: 54 },
} as const

export function live(company: Company, nextId: () => number): Life {
  const { random } = company
  const life: Life = { trialStartedOn: null, customerSince: null, churnedOn: null, subscriptions: [], periods: [], movements: [], charges: [] }
  const productId = random.weighted<ProductId>({ dispatch: 61, track: 33, connect: company.cameOn >= launch('connect') ? 6 : 0 })
  const tier = random.weighted<Tier>(tierMix[company.segment])
  const billing = random.chance({ smb: 0.24, mid_market: 0.56, enterprise: 0.9 }[company.segment]) ? 'annual' : 'monthly'
  const open = (product: ProductId, on: Day): Subscription => {
    const subscription: Subscription = { id: nextId(), productId: product, billing, startedOn: on, endedOn: null, endReason: null }
    life.subscriptions.push(subscription)
    return subscription
  }

  const first = open(productId, company.cameOn)
  let paysFrom = company.cameOn
  if (company.triesFirst) {
    const over = onBillableDay(company.cameOn + (company.channel === 'direct' ? 30 : 14))
    life.trialStartedOn = company.cameOn
    const running = over > completeUntil
    life.periods.push({
      subscription: first,
      tier,
      isTrial: true,
      seats: Math.max(3, Math.round(company.seats / 3)),
      cents: 0,
      from: company.cameOn,
      to: running ? null : over,
    })
    if (running) return life
    if (!random.chance(convertingShare(company, over))) return (end(first, over, 'trial_expired'), life)
    paysFrom = over
  }
  life.customerSince = paysFrom
  let left = subscribe({ company, life, open, first, tier, from: paysFrom, kind: 'new' })
  for (let times = 0; left !== null && times < 2 && random.chance(0.08); times++) {
    const back = onBillableDay(left + random.integer(60, 300))
    if (back > completeUntil) break
    left = subscribe({ company, life, open, first: open(productId, back), tier, from: back, kind: 'reactivation' })
  }
  life.churnedOn = left
  return life
}

const launch = (id: ProductId) => products.find((product) => product.id === id)?.launchedOn ?? Infinity
const convertingShare = (company: Company, at: Day) =>
  ({ direct: 0.66, partner: 0.6, self_serve: 0.37, marketplace: 0.46 })[company.channel] * (at >= priceRise && company.segment === 'smb' ? 0.9 : 1)

function end(subscription: Subscription, on: Day, reason: string): void {
  subscription.endedOn = on
  subscription.endReason = reason
}

type Stay = {
  company: Company
  life: Life
  open(product: ProductId, on: Day): Subscription
  first: Subscription
  tier: Tier
  from: Day
  kind: 'new' | 'reactivation'
}

/** One unbroken time as a paying customer, month by month. Returns the day it ended, or null if it still lasts. */
function subscribe({ company, life, open, first, tier, from, kind }: Stay): Day | null {
  const { random } = company
  const standing: Standing[] = []

  function add(subscription: Subscription, seats: number, on: Day, sinceMonth: number, movement: Movement['kind']): void {
    const discount =
      (subscription.billing === 'annual' ? 0.12 : 0) +
      (company.segment === 'enterprise' ? random.between(0, 0.22) : 0) +
      (company.channel === 'partner' ? 0.05 : 0)
    const cents = price(subscription.productId, tier, seats, discount, on)
    const period: Period = { subscription, tier, isTrial: false, seats, cents, from: on, to: null }
    life.periods.push(period)
    life.movements.push({ subscription, tier, on, kind: movement, cents })
    standing.push({ subscription, tier, seats, discount, priceOf: on, cents, period, sinceMonth })
  }

  /** Closes a subscription's period and begins another one with what changed. */
  function change(item: Standing, on: Day, to: { tier?: Tier; seats?: number; reprice?: boolean }, monthsLeft: number): void {
    const before = item.tier
    item.tier = to.tier ?? item.tier
    item.seats = to.seats ?? item.seats
    if (to.reprice) item.priceOf = on
    const cents = price(item.subscription.productId, item.tier, item.seats, item.discount, item.priceOf)
    const difference = cents - item.cents
    if (difference === 0 && item.seats === item.period.seats) return
    if (item.period.from === on) Object.assign(item.period, { tier: item.tier, seats: item.seats, cents })
    else {
      item.period.to = on
      item.period = { subscription: item.subscription, tier: item.tier, isTrial: false, seats: item.seats, cents, from: on, to: null }
      life.periods.push(item.period)
    }
    // What was paid before moves with the plan, so that movements add up to MRR in each plan too.
    if (item.tier !== before) {
      life.movements.push({ subscription: item.subscription, tier: before, on, kind: 'transfer', cents: -item.cents })
      life.movements.push({ subscription: item.subscription, tier: item.tier, on, kind: 'transfer', cents: item.cents })
    }
    item.cents = cents
    if (difference !== 0)
      life.movements.push({ subscription: item.subscription, tier: item.tier, on, kind: difference > 0 ? 'expansion' : 'contraction', cents: difference })
    if (difference > 0 && monthsLeft > 0) life.charges.push({ subscription: item.subscription, tier: item.tier, on, cents: difference * monthsLeft })
  }

  function stop(item: Standing, on: Day, reason: string, movement: 'churn' | 'contraction'): void {
    item.period.to = on
    end(item.subscription, on, reason)
    life.movements.push({ subscription: item.subscription, tier: item.tier, on, kind: movement, cents: -item.cents, isEnd: true })
    standing.splice(standing.indexOf(item), 1)
  }

  for (let count = 0; ; count++) {
    const on = addMonths(from, count)
    if (on > completeUntil) return null
    if (count === 0) {
      add(first, company.seats, on, 0, kind)
      if (first.productId === 'dispatch' && random.chance(0.16)) add(open('track', on), Math.max(2, Math.round(company.seats * 0.7)), on, 0, kind)
    } else {
      const annual = first.billing === 'annual'
      const reason = reasonToLeave(company, standing, on, !annual ? 1 : count % 12 === 0 ? 8 : 0)
      if (reason) {
        for (const item of standing.slice()) stop(item, on, reason, 'churn')
        return on
      }
      for (const item of standing.slice()) monthGoesBy(item, on, annual ? (12 - ((count - item.sinceMonth) % 12)) % 12 : 0)
      const next = anotherProduct(company, standing, on)
      if (next) add(open(next, on), Math.max(2, Math.round(company.seats * random.between(0.4, 0.9))), on, count, 'expansion')
    }
    for (const item of standing) {
      const isAnnual = item.subscription.billing === 'annual'
      if (!isAnnual || (count - item.sinceMonth) % 12 === 0)
        life.charges.push({ subscription: item.subscription, tier: item.tier, on, cents: item.cents * (isAnnual ? 12 : 1) })
    }
  }

  /** Seats, plan and price. An annual contract can only grow before it is renewed: `monthsLeft` of it are then charged at once. */
  function monthGoesBy(item: Standing, on: Day, monthsLeft: number): void {
    const mayShrink = monthsLeft === 0
    if (mayShrink && standing.length > 1 && random.chance(0.004)) return stop(item, on, leaveReason(random), 'contraction')
    if (mayShrink && on >= priceRise && item.priceOf < priceRise) change(item, on, { reprice: true }, 0)
    const seats = Math.round(item.seats * seatFactor(company, on, mayShrink))
    if (seats !== item.seats && seats >= 2) change(item, on, { seats }, monthsLeft)
    const step = random.next()
    const level = tiers.indexOf(item.tier)
    const higher = tiers[level + 1]
    const lower = tiers[level - 1]
    if (step < 0.009 && higher) change(item, on, { tier: higher }, monthsLeft)
    else if (step > 0.997 && lower && mayShrink) change(item, on, { tier: lower }, 0)
  }
}

const price = (productId: ProductId, tier: Tier, seats: number, discount: number, at: Day): number =>
  Math.round(seats * seatCents[productId][tier][at >= priceRise ? 1 : 0] * (1 - discount))

function seatFactor({ industry, region, random }: Company, on: Day, mayShrink: boolean): number {
  const inMonth = month(on)
  if (industry === 'Retail' && inMonth === 10) return random.between(1, 1.18)
  if (industry === 'Retail' && inMonth === 1) return mayShrink ? random.between(0.86, 1) : 1
  if (industry === 'Construction' && inMonth === 4) return random.between(1, 1.12)
  if (industry === 'Construction' && inMonth === 12) return mayShrink ? random.between(0.9, 1) : 1
  const step = random.next()
  if (step < (region === 'Asia Pacific' ? 0.12 : 0.075)) return random.between(1.04, 1.25)
  return mayShrink && step > 0.974 ? random.between(0.78, 0.96) : 1
}

/** Whether the company leaves on this day, and why. `exposure` is how many months' risk this day stands for. */
function reasonToLeave(company: Company, standing: readonly Standing[], on: Day, exposure: number): string | null {
  if (exposure === 0) return null
  const { random, region, segment, industry } = company
  const has = new Set(standing.map((item) => item.subscription.productId))
  const hurt = incidents.filter((item) => has.has(item.productId) && (item.region ?? region) === region && on > item.startedOn && on <= item.startedOn + 92)
  const trouble = Math.max(1, ...hurt.map((item) => item.leaving))
  const dearer = segment === 'smb' && on >= priceRise && on <= priceRise + 75 ? 1.9 : 1
  const rival = region === localRival.region && industry === localRival.industry && on >= localRival.from && on <= localRival.to ? localRival.leaving : 1
  const risk = leavingPerMonth[segment] * (region === 'Latin America' ? 1.35 : 1) * (standing.length > 1 ? 0.7 : 1) * exposure * trouble * dearer * rival
  if (!random.chance(Math.min(0.6, risk))) return null
  if (rival > 1) return 'competitor'
  if (trouble > 1 && random.chance(0.75)) return 'reliability'
  return dearer > 1 && random.chance(0.65) ? 'price' : leaveReason(random)
}

const leaveReason = (random: Random): string => random.weighted({ price: 30, missing_feature: 24, reliability: 12, competitor: 22, went_out_of_business: 12 })

function anotherProduct({ random, segment }: Company, standing: readonly Standing[], on: Day): ProductId | null {
  if (!random.chance({ smb: 0.008, mid_market: 0.018, enterprise: 0.024 }[segment])) return null
  const has = new Set(standing.map((item) => item.subscription.productId))
  const free = products.filter((product) => !has.has(product.id) && product.launchedOn <= on)
  // The newest product has the loudest sales pitch.
  return free.some((product) => product.id === 'insight') && random.chance(0.6) ? 'insight' : free.length > 0 ? random.pick(free).id : null
}
