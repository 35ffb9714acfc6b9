import { random } from './random.ts'

export type Backoff = { delayMsMin: number; delayMsMax: number }

/** How long to wait after this attempt, counted from 1: twice as long each time, half of it by chance, so that what failed together does not come back together. */
export function backoffMs(attempt: number, { delayMsMin, delayMsMax }: Backoff): number {
  return Math.round(Math.min(delayMsMax, delayMsMin * 2 ** (attempt - 1)) * (0.5 + random() / 2))
}
