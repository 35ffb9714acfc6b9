import { useWindowVirtualizer } from '@tanstack/react-virtual'
import { ArrowDown } from 'lucide-react'
import { useEffect, useLayoutEffect, useRef, useState } from 'react'
import type { KeyboardEvent } from 'react'
import { useTexts } from '../../i18n/index.ts'
import type { Row, TimeScale } from '../../timeline/index.ts'
import { Button } from '../../ui/Button.tsx'
import { useMedia } from '../../ui/use-media.ts'
import { TimelineRow, rowId } from './TimelineRow.tsx'

type Props = {
  rows: readonly Row[]
  scale: TimeScale
  now: number
  chosen: string | undefined
  isLive: boolean
  onChoose: (key: string | undefined) => void
  onToggle: (key: string, isCollapsed: boolean) => void
}

/**
 * The lines of the timeline: a tree to assistive technology and keyboards, and only as many elements as fit on the screen, so that ten
 * thousand lines scroll like ten. All lines have one height: what streams in changes their text, never their place.
 */
export function TimelineList({ rows, scale, now, chosen, isLive, onChoose, onToggle }: Props) {
  const { t } = useTexts()
  const list = useRef<HTMLDivElement>(null)
  const rowHeight = useMedia('(min-width: 52rem)') ? 32 : 44
  const scrollMargin = useOffsetTop(list)
  const virtualizer = useWindowVirtualizer({
    count: rows.length,
    estimateSize: () => rowHeight,
    overscan: 8,
    scrollMargin,
  })
  useLayoutEffect(() => virtualizer.measure(), [rowHeight, virtualizer])
  const [active, setActive] = useState<string>()
  const current = chosen ?? active
  const { isAtEnd, jump } = useFollow(rows.length, isLive)
  useRevealOnce(chosen, rows, (index) => virtualizer.scrollToIndex(index, { align: 'center' }))

  const go = (index: number) => {
    const row = rows[Math.max(0, Math.min(rows.length - 1, index))]
    if (!row) return
    setActive(row.entry.key)
    if (chosen !== undefined) onChoose(row.entry.key)
    virtualizer.scrollToIndex(rows.indexOf(row), { align: 'auto' })
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const index = rows.findIndex((row) => row.entry.key === current)
    const row = rows[index]
    const actions: Record<string, () => void> = {
      ArrowDown: () => go(index + 1),
      ArrowUp: () => go(index < 0 ? 0 : index - 1),
      Home: () => go(0),
      End: () => go(rows.length - 1),
      PageDown: () => go(index + 20),
      PageUp: () => go(index - 20),
      Enter: () => row && onChoose(row.entry.key),
      ' ': () => row && onChoose(row.entry.key),
      Escape: () => onChoose(undefined),
      ArrowLeft: () =>
        row && (row.hasChildren && !row.isCollapsed ? onToggle(row.entry.key, true) : go(rows.findIndex((one) => one.entry.key === row.entry.parent))),
      ArrowRight: () => row?.hasChildren && (row.isCollapsed ? onToggle(row.entry.key, false) : go(index + 1)),
    }
    const action = actions[event.key]
    if (!action || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    action()
  }

  const items = virtualizer.getVirtualItems()
  const keyOf = useElementKeys(items[0]?.index ?? 0, items.length)
  return (
    <>
      <div
        ref={list}
        role="tree"
        tabIndex={0}
        aria-label={t('timeline.label')}
        aria-activedescendant={current === undefined ? undefined : rowId(current)}
        onKeyDown={onKeyDown}
        onFocus={() => setActive((before) => before ?? chosen ?? rows[0]?.entry.key)}
        className="group/tree relative focus-visible:outline-offset-[-2px]"
        style={{ height: virtualizer.getTotalSize() }}
      >
        {/* In the flow, so that scrolling moves one element and gives no line another style. */}
        <div style={{ transform: `translateY(${(items[0]?.start ?? scrollMargin) - scrollMargin}px)` }}>
          {items.map((item) => {
            const row = rows[item.index]
            return (
              row && (
                <TimelineRow
                  key={keyOf(item.index)}
                  row={row}
                  height={rowHeight}
                  scale={scale}
                  now={now}
                  isChosen={row.entry.key === chosen}
                  isActive={row.entry.key === current}
                  onChoose={onChoose}
                  onToggle={onToggle}
                />
              )
            )
          })}
        </div>
      </div>
      {isLive && !isAtEnd && (
        <div className="pointer-events-none fixed inset-x-0 bottom-6 z-20 flex justify-center">
          <Button size="sm" className="pointer-events-auto shadow-raised" onClick={jump}>
            <ArrowDown size={14} aria-hidden />
            {t('timeline.latest')}
          </Button>
        </div>
      )}
    </>
  )
}

/** Lines stay in their elements; after a jump to lines that are all others, those take the elements of the ones before, which is far less work than new ones. */
function useElementKeys(first: number, count: number): (index: number) => number {
  const before = useRef({ first, offset: 0 })
  if (Math.abs(first - before.current.first) >= count) before.current.offset += first - before.current.first
  before.current.first = first
  const { offset } = before.current
  return (index) => index - offset
}

/** Where the list begins on the page, also after what stands above it has grown. */
function useOffsetTop(element: React.RefObject<HTMLElement | null>): number {
  const [offset, setOffset] = useState(0)
  useLayoutEffect(() => {
    const measure = () => element.current && setOffset(Math.round(element.current.getBoundingClientRect().top + window.scrollY))
    measure()
    const observer = new ResizeObserver(measure)
    observer.observe(document.body)
    return () => observer.disconnect()
  }, [element])
  return offset
}

/** Stays with the newest line while the reader is at the end of the page, and leaves them alone when they are elsewhere. */
function useFollow(rowCount: number, isLive: boolean): { isAtEnd: boolean; jump: () => void } {
  const [isAtEnd, setAtEnd] = useState(true)
  const wasAtEnd = useRef(false)
  useEffect(() => {
    if (!isLive) return
    const look = () => {
      const left = document.documentElement.scrollHeight - window.innerHeight - window.scrollY
      wasAtEnd.current = left < 48 && window.scrollY > 0
      setAtEnd(left < 48)
    }
    look()
    window.addEventListener('scroll', look, { passive: true })
    return () => window.removeEventListener('scroll', look)
  }, [isLive])
  const jump = () => window.scrollTo({ top: document.documentElement.scrollHeight })
  useLayoutEffect(() => {
    if (isLive && wasAtEnd.current) jump()
  }, [rowCount, isLive])
  return { isAtEnd, jump }
}

/** Brings the line that the address names into view, the first time it is there. */
function useRevealOnce(chosen: string | undefined, rows: readonly Row[], reveal: (index: number) => void): void {
  const isDone = useRef(chosen === undefined)
  useEffect(() => {
    if (isDone.current || chosen === undefined) return
    const index = rows.findIndex((row) => row.entry.key === chosen)
    if (index < 0) return
    isDone.current = true
    reveal(index)
  })
}
