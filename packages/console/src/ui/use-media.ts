import { useSyncExternalStore } from 'react'

/** Whether the screen is like `query` says, now and as it changes. */
export function useMedia(query: string): boolean {
  return useSyncExternalStore(
    (changed) => {
      const media = matchMedia(query)
      media.addEventListener('change', changed)
      return () => media.removeEventListener('change', changed)
    },
    () => matchMedia(query).matches,
  )
}

/** As `--breakpoint-lg` in `tokens.css`: room for a panel beside the page. */
export const useIsWide = (): boolean => useMedia('(min-width: 68rem)')
