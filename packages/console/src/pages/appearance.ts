import { useSyncExternalStore } from 'react'

export const themes = ['system', 'light', 'dark'] as const
export type Theme = (typeof themes)[number]

const listeners = new Set<() => void>()
const current = (): Theme => themes.find((theme) => theme === document.documentElement.dataset['theme']) ?? 'system'

/** The chosen theme. `public/appearance.js` sets it before the first paint; this changes it. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  const theme = useSyncExternalStore((changed) => (listeners.add(changed), () => listeners.delete(changed)), current)
  return [theme, setTheme]
}

function setTheme(theme: Theme): void {
  if (theme === 'system') delete document.documentElement.dataset['theme']
  else document.documentElement.dataset['theme'] = theme
  try {
    if (theme === 'system') localStorage.removeItem('longhaul.theme')
    else localStorage.setItem('longhaul.theme', theme)
  } catch {
    // Storage may be forbidden: then the choice lasts as long as the page.
  }
  for (const listener of listeners) listener()
}
