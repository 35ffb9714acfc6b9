import { began, completeUntil, day, type Day } from './calendar.ts'
import type { Company } from './company.ts'
import type { Life } from './life.ts'
import { email, domain, personName, phone } from './names.ts'
import { randomStream, type Random } from './random.ts'
import { singaporeDesk, type Region } from './world.ts'

export type Employee = { id: number; name: string; team: 'account_management' | 'support'; region: Region; hiredOn: Day; email: string; phone: string }
export type Person = {
  id: number
  accountId: number
  name: string
  email: string
  phone: string
  role: 'admin' | 'dispatcher' | 'field' | 'viewer'
  createdOn: Day
  deactivatedOn: Day | null
}

const managers: Readonly<Record<Region, number>> = { 'North America': 9, Europe: 8, 'Asia Pacific': 5, 'Latin America': 3 }
const supporters: Readonly<Record<Region, number>> = { 'North America': 9, Europe: 8, 'Asia Pacific': 5, 'Latin America': 2 }

export function hireStaff(): Employee[] {
  const random = randomStream('staff')
  const names = new Set<string>()
  const staff: Employee[] = []
  const hire = (team: Employee['team'], region: Region, hiredOn: Day) => {
    let name = personName(random)
    while (names.has(name)) name = personName(random)
    names.add(name)
    staff.push({ id: staff.length + 1, name, team, region, hiredOn, email: email(name, 'kestrel.example'), phone: phone(random) })
  }
  for (const [region, count] of Object.entries(managers) as [Region, number][])
    for (let index = 0; index < count; index++) hire('account_management', region, random.integer(began, day('2025-12-01')))
  for (const [region, count] of Object.entries(supporters) as [Region, number][]) {
    for (let index = 0; index < count; index++)
      hire(
        'support',
        region,
        region === 'Asia Pacific' ? singaporeDesk + index * 9 : index % 4 === 3 ? day('2026-02-02') + index : random.integer(began, day('2023-09-01')),
      )
  }
  return staff
}

export const managerOf = (company: Company, staff: readonly Employee[]): number =>
  company.random.pick(staff.filter((employee) => employee.team === 'account_management' && employee.region === company.region)).id

/** Everybody with a login at a company: as many as it ever had seats for, the first third at once. */
export function makePeople(company: Company, life: Life, nextId: () => number): Person[] {
  const { random } = company
  const host = domain(company.id, company.name)
  const leftOn = life.churnedOn ?? (life.customerSince === null ? (life.subscriptions[0]?.endedOn ?? null) : null)
  const grownUntil = Math.min(leftOn ?? completeUntil, completeUntil)
  const seats = Math.max(...life.periods.map((period) => period.seats))
  return Array.from({ length: seats }, (_, index) => {
    const name = personName(random)
    const createdOn = index < seats / 3 ? Math.min(grownUntil, company.cameOn + random.integer(0, 20)) : random.integer(company.cameOn, grownUntil)
    return {
      id: nextId(),
      accountId: company.id,
      name,
      email: email(name, host),
      phone: phone(random),
      role: index === 0 ? 'admin' : role(random),
      createdOn,
      deactivatedOn: leftDay(random, createdOn, leftOn),
    }
  })
}

const role = (random: Random): Person['role'] => random.weighted({ admin: 5, dispatcher: 24, field: 58, viewer: 13 })

/** People change jobs; when their company leaves, all logins end. */
function leftDay(random: Random, createdOn: Day, companyLeftOn: Day | null): Day | null {
  const own = random.chance(0.18) ? createdOn + random.integer(60, 900) : Infinity
  const first = Math.min(own, companyLeftOn ?? Infinity)
  return first <= completeUntil ? first : null
}
