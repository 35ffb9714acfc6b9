import { day, type Day } from './calendar.ts'

export type Region = 'North America' | 'Europe' | 'Asia Pacific' | 'Latin America'
export type Segment = 'smb' | 'mid_market' | 'enterprise'
export type Industry = 'Logistics' | 'Retail' | 'Construction' | 'Utilities' | 'Healthcare' | 'Facilities'
export type Channel = 'direct' | 'partner' | 'self_serve' | 'marketplace'
export type ProductId = 'dispatch' | 'track' | 'insight' | 'connect'
export type Tier = 'starter' | 'team' | 'business' | 'scale'

/** Weight of each country in all of its region's companies. */
export const countries: Readonly<Record<Region, Readonly<Record<string, number>>>> = {
  'North America': { 'United States': 84, Canada: 16 },
  Europe: { 'United Kingdom': 30, Germany: 29, France: 19, Netherlands: 13, Sweden: 9 },
  'Asia Pacific': { Japan: 29, China: 26, Australia: 25, Singapore: 20 },
  'Latin America': { Brazil: 62, Mexico: 38 },
}

/** The share of new companies by region: Asia Pacific catches up after the Singapore office opened. */
export function regionMix(at: Day): Record<Region, number> {
  const late = at >= day('2024-05-01')
  return { 'North America': 44, Europe: 34, 'Asia Pacific': late ? 24 : 9, 'Latin America': 10 }
}

export function channelMix(at: Day): Record<Channel, number> {
  return { direct: 34, partner: 18, self_serve: 48, marketplace: at >= day('2024-06-01') ? (at >= day('2025-10-01') ? 38 : 18) : 0 }
}

export const industryMix: Readonly<Record<Region, Readonly<Record<Industry, number>>>> = {
  'North America': { Logistics: 26, Retail: 20, Construction: 18, Utilities: 10, Healthcare: 14, Facilities: 12 },
  Europe: { Logistics: 30, Retail: 16, Construction: 14, Utilities: 16, Healthcare: 10, Facilities: 14 },
  'Asia Pacific': { Logistics: 34, Retail: 24, Construction: 16, Utilities: 8, Healthcare: 8, Facilities: 10 },
  'Latin America': { Logistics: 32, Retail: 22, Construction: 20, Utilities: 12, Healthcare: 6, Facilities: 8 },
}

export const products: readonly { id: ProductId; name: string; launchedOn: Day }[] = [
  { id: 'dispatch', name: 'Kestrel Dispatch', launchedOn: day('2021-02-01') },
  { id: 'track', name: 'Kestrel Track', launchedOn: day('2021-02-01') },
  { id: 'insight', name: 'Kestrel Insight', launchedOn: day('2024-03-04') },
  { id: 'connect', name: 'Kestrel Connect', launchedOn: day('2022-06-01') },
]

/** Cents per seat and month, before the price rise and since. */
export const seatCents: Readonly<Record<ProductId, Readonly<Record<Tier, readonly [before: number, since: number]>>>> = {
  dispatch: { starter: [1_200, 1_350], team: [1_900, 2_100], business: [2_900, 2_900], scale: [3_900, 3_900] },
  track: { starter: [800, 900], team: [1_200, 1_300], business: [1_800, 1_800], scale: [2_400, 2_400] },
  insight: { starter: [600, 650], team: [1_000, 1_100], business: [1_500, 1_500], scale: [2_000, 2_000] },
  connect: { starter: [400, 450], team: [600, 650], business: [900, 900], scale: [1_200, 1_200] },
}
export const priceRise = day('2026-03-01')
export const tiers: readonly Tier[] = ['starter', 'team', 'business', 'scale']

export const features: Readonly<Record<ProductId, Readonly<Record<string, { share: number; launchedOn?: Day }>>>> = {
  dispatch: { route_planning: { share: 52 }, shift_calendar: { share: 33 }, job_forms: { share: 40, launchedOn: day('2025-05-06') } },
  track: { live_map: { share: 70 }, geofences: { share: 12 }, trip_history: { share: 18 } },
  insight: { dashboards: { share: 66 }, report_builder: { share: 34 } },
  connect: { api_calls: { share: 78 }, webhooks: { share: 22 } },
}

export type Incident = {
  productId: ProductId
  region: Region | null
  severity: 'major' | 'minor'
  title: string
  startedOn: Day
  endedOn: Day
  /** Share of events that fail meanwhile, times as many tickets, and times the risk of leaving in the three months after. */
  failing: number
  tickets: number
  leaving: number
}

const incident = (
  productId: ProductId,
  region: Region | null,
  startedOn: string,
  endedOn: string,
  title: string,
  failing: number,
  tickets: number,
  leaving: number,
): Incident => ({
  productId,
  region,
  severity: leaving > 1 ? 'major' : 'minor',
  title,
  startedOn: day(startedOn),
  endedOn: day(endedOn),
  failing,
  tickets,
  leaving,
})

export const incidents: readonly Incident[] = [
  incident('dispatch', null, '2023-12-12', '2023-12-12', 'Slow calendar pages', 0.03, 2, 1),
  incident('track', 'North America', '2024-02-20', '2024-02-21', 'Map tiles missing', 0.05, 3, 1),
  incident('dispatch', 'Europe', '2024-06-03', '2024-06-03', 'Sign-in failures after certificate change', 0.08, 4, 1),
  incident('dispatch', null, '2024-11-19', '2024-11-20', 'Routes lost after a failed database upgrade', 0.22, 8, 1.6),
  incident('connect', null, '2025-01-28', '2025-01-28', 'Webhooks delivered late', 0.06, 3, 1),
  incident('insight', null, '2025-04-15', '2025-04-16', 'Reports showed the previous day', 0.04, 2, 1),
  incident('track', 'Asia Pacific', '2025-06-11', '2025-06-11', 'Positions delayed by a provider', 0.07, 3, 1),
  incident('track', 'Europe', '2025-09-15', '2025-09-18', 'Positions missing for four days', 0.31, 14, 3.2),
  incident('dispatch', 'Latin America', '2025-12-02', '2025-12-02', 'Slow route planning', 0.05, 3, 1),
  incident('connect', 'North America', '2026-05-12', '2026-05-13', 'API calls rejected after a quota change', 0.27, 10, 1.7),
  incident('insight', 'Asia Pacific', '2026-07-22', '2026-07-22', 'Dashboards without labels', 0.02, 2, 1),
  incident('track', 'North America', '2026-10-06', '2026-10-07', 'Geofence alerts repeated', 0.06, 4, 1),
]

/** Cards were declined by the payment provider. */
export const cardTrouble = { from: day('2026-06-09'), to: day('2026-06-12'), failing: 0.42 }
/** Support was short of people until new ones were trained. */
export const supportShortage = { from: day('2025-11-03'), to: day('2026-02-06'), slower: 2 }
/** Until then, nobody answered at night in Asia. */
export const singaporeDesk = day('2025-08-01')
/** A local product went after the logistics companies of Latin America. */
export const localRival = { region: 'Latin America', industry: 'Logistics', from: day('2026-08-01'), to: day('2026-10-20'), leaving: 7 } as const
