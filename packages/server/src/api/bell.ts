import { after as callAfter } from '../kernel/index.ts'

/** Waits for a ring, a time, or the end. A ring while nobody waits is kept. */
export function makeBell(end: AbortSignal) {
  let isRung = false
  let hear = () => {}
  const ring = () => {
    isRung = true
    hear()
  }
  end.addEventListener('abort', ring)
  return {
    ring,
    async wait(ms: number): Promise<void> {
      if (!isRung) {
        await new Promise<void>((resolve) => {
          const cancel = callAfter(ms, resolve)
          hear = () => {
            cancel()
            resolve()
          }
        })
      }
      hear = () => {}
      isRung = false
    },
  }
}
