/** Points at which a test may end the process. Each is named for what has just happened or is about to. */
export const crashPoints = [
  'flush.before',
  'flush.after',
  'claim.before',
  'claim.after',
  'message.before',
  'message.after',
  'ending.after',
  'delivery.after',
  'burial.before',
  'burial.after',
] as const
export type CrashPoint = (typeof crashPoints)[number]

let armed: ((point: CrashPoint) => void) | undefined

/** Does nothing in production. In a crash test it may never return. */
export function probe(point: CrashPoint): void {
  armed?.(point)
}

/** For tests: `handler` sees every point that is passed from now on. */
export function armProbe(handler: ((point: CrashPoint) => void) | undefined): void {
  armed = handler
}
