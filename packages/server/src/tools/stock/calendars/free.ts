/** When nobody is busy. */
import { dayMs, instantAt, wallAt } from './zones.ts'

type Stretch = { from: number; to: number }
export type WorkingTime = { zone: string; days: readonly number[]; hours: { from: string; to: string } }

/** The stretches of working time in which nothing is, at least so long, in their order. All are instants in milliseconds. */
export function freeIn({ from, to }: Stretch, busy: readonly Stretch[], working: WorkingTime, msMin: number): Stretch[] {
  const taken = busy.toSorted((one, other) => one.from - other.from)
  return workingIn({ from, to }, working).flatMap((hours) => {
    const free: Stretch[] = []
    let at = hours.from
    for (const one of taken) {
      if (one.to <= at) continue
      if (one.from >= hours.to) break
      free.push({ from: at, to: one.from })
      at = one.to
    }
    return [...free, { from: at, to: hours.to }].filter((stretch) => stretch.to - stretch.from >= msMin)
  })
}

function workingIn({ from, to }: Stretch, { zone, days, hours }: WorkingTime): Stretch[] {
  const found: Stretch[] = []
  const midnight = (instant: number) => Math.floor(wallAt(instant, zone) / dayMs) * dayMs
  for (let day = midnight(from); day <= midnight(to); day += dayMs) {
    if (!days.includes(new Date(day).getUTCDay() || 7)) continue
    found.push({
      from: Math.max(from, instantAt(day + msOf(hours.from), zone)),
      to: Math.min(to, instantAt(day + msOf(hours.to), zone)),
    })
  }
  return found.filter((stretch) => stretch.from < stretch.to)
}

/** Of `HH:MM`, since midnight. */
export const msOf = (time: string): number => {
  const [hour = 0, minute = 0] = time.split(':').map(Number)
  return (hour * 60 + minute) * 60_000
}
