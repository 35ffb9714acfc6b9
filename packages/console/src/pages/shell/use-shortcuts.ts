import { useRouter } from '@tanstack/react-router'
import { useEffect, useRef } from 'react'
import { useMay } from '../../api/permissions.ts'
import { isWriting } from '../../ui/is-writing.ts'
import { mayGo, navigation } from './navigation.ts'

/** How long after `g` the letter of a page may come. */
const chordMs = 1_200

/** Keys that work on every page: Ctrl or Cmd and K, `?`, `/`, and `g` with a page's letter. None of them while something is written. */
export function useShortcuts({ openPalette, openHelp }: { openPalette: () => void; openHelp: () => void }): void {
  const router = useRouter()
  const may = useMay()
  const latest = useRef({ openPalette, openHelp, may })
  latest.current = { openPalette, openHelp, may }
  useEffect(() => {
    let chordAt = Number.NEGATIVE_INFINITY
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.isComposing || event.altKey) return
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        return latest.current.openPalette()
      }
      if (event.ctrlKey || event.metaKey || isWriting(event.target) || document.querySelector('dialog[open]')) return
      const isChord = performance.now() - chordAt < chordMs
      chordAt = Number.NEGATIVE_INFINITY
      if (isChord) {
        const place = navigation.flatMap(({ places }) => places).find(({ key }) => key === event.key)
        if (!place || mayGo(latest.current.may, place) === false) return
        event.preventDefault()
        return void router.navigate({ href: place.href })
      }
      if (event.key === 'g') chordAt = performance.now()
      else if (event.key === '?') latest.current.openHelp()
      else if (event.key === '/') {
        const search = document.querySelector<HTMLInputElement>('main input[type="search"]')
        event.preventDefault() // Firefox searches the page with it.
        if (search) search.focus()
        else latest.current.openPalette()
      }
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [router])
}
