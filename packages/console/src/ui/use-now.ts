import { useEffect, useState } from 'react'

/** Draws again every `everyMs` while `isRunning`; `read` says what time it is. */
export function useNow(read: () => number, everyMs: number, isRunning = true): number {
  const [now, setNow] = useState(read)
  useEffect(() => {
    if (!isRunning) return
    setNow(read())
    const timer = setInterval(() => setNow(read()), everyMs)
    return () => clearInterval(timer)
  }, [read, everyMs, isRunning])
  return now
}
