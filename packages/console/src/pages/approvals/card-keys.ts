/** Approvals by keyboard. A letter leads to where it is decided, and never decides: that takes a second key there. */
import { useEffect } from 'react'
import { isWriting } from '../../ui/is-writing.ts'

type Press = Pick<KeyboardEvent, 'key' | 'altKey' | 'ctrlKey' | 'metaKey' | 'shiftKey'>

/** Which card has the focus next, of `count`; `at` is the one that has it, -1 when none has. Undefined: the key is about something else. The arrows scroll the page until a card has the focus. */
export function cardAfter({ key, altKey, ctrlKey, metaKey, shiftKey }: Press, at: number, count: number): number | undefined {
  if (altKey || ctrlKey || metaKey || shiftKey || count === 0) return undefined
  const step = { j: 1, k: -1, ArrowDown: at < 0 ? undefined : 1, ArrowUp: at < 0 ? undefined : -1 }[key]
  if (step === undefined) return undefined
  return at < 0 ? (step > 0 ? 0 : count - 1) : Math.min(Math.max(at + step, 0), count - 1)
}

const cardsOnPage = () => [...document.querySelectorAll<HTMLElement>('main article[data-approval]')]

/** `j` and `k`, and the arrows from a card on, go from card to card. Each card listens; the first one acts. */
export function useCardKeys(): void {
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || isWriting(event.target) || document.querySelector('dialog[open]')) return
      const cards = cardsOnPage()
      const to = cardAfter(
        event,
        cards.findIndex((card) => (event.key.startsWith('Arrow') ? card === document.activeElement : card.contains(document.activeElement))),
        cards.length,
      )
      if (to === undefined) return
      event.preventDefault()
      cards[to]?.focus()
      cards[to]?.scrollIntoView({ block: 'nearest' })
    }
    window.addEventListener('keydown', onKeyDown)
    return () => window.removeEventListener('keydown', onKeyDown)
  }, [])
}

/** Before a card goes away because it was decided: the focus that is in it goes to the next one. */
export function passFocusOn(card: HTMLElement | null): void {
  if (!card?.contains(document.activeElement)) return
  const cards = cardsOnPage()
  const at = cards.indexOf(card)
  ;(cards[at + 1] ?? cards[at - 1])?.focus()
}
