import { useEffect, useRef, useState } from 'react'
import type { ReactNode } from 'react'
import { createPortal } from 'react-dom'

const delayMs = 350

/** A few words that appear when the thing inside is pointed at or focused. Never the only place where something necessary is said. */
export function Hint({ text, children }: { text: string; children: ReactNode }) {
  const anchor = useRef<HTMLSpanElement>(null)
  const timer = useRef<ReturnType<typeof setTimeout>>(undefined)
  const [rect, setRect] = useState<DOMRect>()
  const hide = () => {
    clearTimeout(timer.current)
    setRect(undefined)
  }
  const show = (afterMs: number) => {
    clearTimeout(timer.current)
    timer.current = setTimeout(() => setRect(anchor.current?.firstElementChild?.getBoundingClientRect()), afterMs)
  }
  useEffect(() => () => clearTimeout(timer.current), [])
  return (
    <span
      ref={anchor}
      className="contents"
      onPointerEnter={(event) => event.pointerType === 'mouse' && show(delayMs)}
      onPointerLeave={hide}
      onPointerDown={hide}
      onFocus={(event) => event.target.matches(':focus-visible') && show(0)}
      onBlur={hide}
      onKeyDown={(event) => event.key === 'Escape' && hide()}
    >
      {children}
      {rect && createPortal(<Popup text={text} rect={rect} onGone={hide} />, document.body)}
    </span>
  )
}

/** Above the thing, or below it where there is no room; in the browser's top layer, so that nothing cuts it off. */
function Popup({ text, rect, onGone }: { text: string; rect: DOMRect; onGone: () => void }) {
  const popup = useRef<HTMLSpanElement>(null)
  useEffect(() => {
    const element = popup.current
    if (!element) return
    element.showPopover()
    const { width, height } = element.getBoundingClientRect()
    const left = Math.max(8, Math.min(rect.left + rect.width / 2 - width / 2, document.documentElement.clientWidth - width - 8))
    const above = rect.top - height - 6
    element.style.left = `${left}px`
    element.style.top = `${above > 4 ? above : rect.bottom + 6}px`
    window.addEventListener('scroll', onGone, { passive: true, capture: true, once: true })
    return () => window.removeEventListener('scroll', onGone, { capture: true })
  }, [rect, onGone])
  return (
    <span
      ref={popup}
      popover="manual"
      role="tooltip"
      className="pointer-events-none fixed inset-auto m-0 max-w-72 animate-appear rounded-md bg-ink px-2 py-1 text-xs text-canvas shadow-raised"
    >
      {text}
    </span>
  )
}
