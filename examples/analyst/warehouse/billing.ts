import { completeUntil, dataFrom, weekday, type Day } from './calendar.ts'
import type { Company } from './company.ts'
import type { Charge, Life } from './life.ts'
import { cardTrouble } from './world.ts'

export type Invoice = {
  accountId: number
  issuedOn: Day
  dueOn: Day
  paidOn: Day | null
  status: 'paid' | 'open' | 'void'
  cents: number
  lines: Charge[]
  payments: Payment[]
}
export type Payment = { on: Day; method: 'card' | 'transfer' | 'direct_debit'; outcome: 'succeeded' | 'failed'; cents: number }

const termDays = { smb: 14, mid_market: 30, enterprise: 45 } as const
const methodMix = {
  smb: { card: 74, direct_debit: 20, transfer: 6 },
  mid_market: { card: 18, direct_debit: 34, transfer: 48 },
  enterprise: { card: 0, direct_debit: 6, transfer: 94 },
} as const
/** Days later than elsewhere that transfers come. */
const lateness = { 'North America': 0, Europe: -1, 'Asia Pacific': 4, 'Latin America': 11 } as const

/** The invoices of a company since the beginning of the data, with what came of them. */
export function bill(company: Company, life: Life): Invoice[] {
  const { random } = company
  const method = random.weighted<Payment['method']>(methodMix[company.segment])
  const byDay = Map.groupBy(
    life.charges.filter((charge) => charge.on >= dataFrom),
    (charge) => charge.on,
  )
  const lastDay = Math.max(...byDay.keys())
  return [...byDay].flatMap(([issuedOn, lines]) => {
    const cents = lines.reduce((sum, line) => sum + line.cents, 0)
    const dueOn = issuedOn + termDays[company.segment]
    // Who is about to leave often does not pay the last invoice any more.
    const neverPays = random.chance(life.churnedOn !== null && issuedOn === lastDay ? 0.16 : 0.0012)
    const payments = pay(company, method, { issuedOn, dueOn, cents, neverPays })
    const paidOn = payments.find((payment) => payment.outcome === 'succeeded')?.on ?? null
    const invoice: Invoice = { accountId: company.id, issuedOn, dueOn, paidOn, status: paidOn === null ? 'open' : 'paid', cents, lines, payments }
    return random.chance(0.008) ? [{ ...invoice, paidOn: null, status: 'void', lines: [], payments: [] } satisfies Invoice, invoice] : [invoice]
  })
}

type Bill = { issuedOn: Day; dueOn: Day; cents: number; neverPays: boolean }

function pay({ random, region }: Company, method: Payment['method'], { issuedOn, dueOn, cents, neverPays }: Bill): Payment[] {
  const attempts: Payment[] = []
  const attempt = (on: Day, outcome: Payment['outcome']) => void attempts.push({ on, method, outcome, cents })
  if (method === 'transfer') {
    const on = nextWorkday(Math.max(issuedOn + 2, Math.round(dueOn - 3 + lateness[region] + random.bell() * 8)))
    if (!neverPays) attempt(on, 'succeeded')
  } else {
    let on = method === 'card' ? issuedOn : nextWorkday(issuedOn + 5)
    for (let tries = 0; tries < 5; tries++) {
      const declined = method === 'card' && on >= cardTrouble.from && on <= cardTrouble.to ? cardTrouble.failing : method === 'card' ? 0.05 : 0.02
      const failed = neverPays || random.chance(tries === 0 ? declined : 0.22)
      attempt(on, failed ? 'failed' : 'succeeded')
      if (!failed) break
      on += random.integer(3, 7)
    }
  }
  return attempts.filter((payment) => payment.on <= completeUntil)
}

const nextWorkday = (at: Day): Day => at + Math.max(0, 7 - weekday(at)) * (weekday(at) > 4 ? 1 : 0)
