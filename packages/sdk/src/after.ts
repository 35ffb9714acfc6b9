/** Node fires a longer timer at once. */
const timerMsMax = 2 ** 31 - 1

/** Calls `then` after `ms`, however long that is. */
export function after(ms: number, then: () => void): void {
  const part = Math.min(Math.max(0, ms), timerMsMax)
  setTimeout(() => (ms > part ? after(ms - part, then) : then()), part)
}
