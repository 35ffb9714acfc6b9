import { began, completeUntil, month, weekday, type Day } from './calendar.ts'
import { companyNamer } from './names.ts'
import { randomStream, type Random } from './random.ts'
import { channelMix, countries, industryMix, regionMix, type Channel, type Industry, type Region, type Segment } from './world.ts'

/** A company as it was when it first came: what it is, not yet what it did. */
export type Company = {
  id: number
  name: string
  region: Region
  country: string
  industry: Industry
  segment: Segment
  channel: Channel
  employees: number
  /** Seats wanted at first. */
  seats: number
  cameOn: Day
  triesFirst: boolean
  random: Random
}

/** New companies a month: the first number when the business began, the second now. */
const growth = [9, 50] as const
const season = [1.15, 1.1, 1.1, 1, 1, 0.95, 0.8, 0.7, 1.15, 1.2, 1.05, 0.7] as const
const seatRange: Readonly<Record<Segment, readonly [number, number]>> = { smb: [3, 30], mid_market: [24, 170], enterprise: [170, 1_150] }

/** All companies in the order in which they came. */
export function makeCompanies(): Company[] {
  const arrivals = randomStream('arrivals')
  const nameCompany = companyNamer()
  const companies: Company[] = []
  for (let at = began; at <= completeUntil; at++) {
    const progress = (at - began) / (completeUntil - began)
    const monthly = (growth[0] + (growth[1] - growth[0]) * progress) * (season[month(at) - 1] ?? 1)
    const daily = (monthly / 30.4) * (weekday(at) < 5 ? 1.28 : 0.3)
    for (let left = arrivals.around(daily); left > 0; left--) companies.push(makeCompany(companies.length + 1, at, nameCompany))
  }
  return companies
}

function makeCompany(id: number, at: Day, nameCompany: ReturnType<typeof companyNamer>): Company {
  const random = randomStream(`company ${id}`)
  const region = random.weighted(regionMix(at))
  const country = random.weighted(countries[region])
  const industry = random.weighted(industryMix[region])
  const channel = random.weighted(channelMix(at))
  const segment: Segment = random.weighted(
    channel === 'direct'
      ? { smb: 30, mid_market: 48, enterprise: 22 }
      : channel === 'partner'
        ? { smb: 48, mid_market: 44, enterprise: 8 }
        : { smb: 86, mid_market: 14, enterprise: 0 },
  )
  const [low, high] = seatRange[segment]
  const seats = Math.round(low + (high - low) * Math.min(random.next(), random.next()))
  const triesFirst = channel === 'self_serve' || channel === 'marketplace' || random.chance(0.45)
  const cameOn = triesFirst ? at : onBillableDay(at)
  return {
    id,
    name: nameCompany(random, country, industry),
    region,
    country,
    industry,
    segment,
    channel,
    employees: Math.round(seats * random.between(1.3, 6)),
    seats,
    cameOn,
    triesFirst,
    random,
  }
}

/** Billing is on the same day of each month, so it starts on one that every month has. */
export function onBillableDay(at: Day): Day {
  for (let candidate = at; ; candidate++) if (new Date(candidate * 86_400_000).getUTCDate() <= 28) return candidate
}
