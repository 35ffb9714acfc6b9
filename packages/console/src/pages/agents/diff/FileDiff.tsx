import type { CodeChange } from '@longhaul/protocol'
import { useVirtualizer } from '@tanstack/react-virtual'
import { useMemo, useRef, useState } from 'react'
import type { CSSProperties } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import { cx } from '../../../ui/cx.ts'
import { diffRows } from '../../../ui/diff-rows.ts'
import type { DiffRow, Side } from '../../../ui/diff-rows.ts'
import { Segmented } from '../../../ui/Fields.tsx'
import { formatBytes } from '../../../ui/format.ts'
import { useMedia } from '../../../ui/use-media.ts'
import { linesOf } from './code-lines.ts'

const lineHeight = 20
const layouts = ['unified', 'split'] as const

/** One file line by line; only the lines on the screen are drawn. What is no text or too large says so. */
export function FileDiff({ change }: { change: CodeChange }) {
  const { t, locale } = useTexts()
  if (change.omitted !== null) {
    const size = (side: CodeChange['before']) => (side ? formatBytes(side.bytes, locale) : t('agents.code.absent'))
    return <p className="px-1 text-sm text-ink-2">{t(`agents.code.omitted.${change.omitted}`, { before: size(change.before), after: size(change.after) })}</p>
  }
  return <Lines change={change} />
}

function Lines({ change }: { change: CodeChange }) {
  const { t } = useTexts()
  const isWide = useMedia('(min-width: 64rem)')
  const [chosen, setChosen] = useState<(typeof layouts)[number]>('unified')
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set())
  const box = useRef<HTMLDivElement>(null)
  const lines = useMemo(() => linesOf(change), [change])
  const layout = isWide && change.change === 'changed' ? chosen : 'unified'
  const rows = useMemo(() => diffRows(lines, layout, open), [lines, layout, open])
  const virtualizer = useVirtualizer({ count: rows.length, getScrollElement: () => box.current, estimateSize: () => lineHeight, overscan: 20 })
  const longest = useMemo(() => lines.reduce((most, { text }) => Math.max(most, widthOf(text)), 0), [lines])
  const width = layout === 'split' ? `max(100%, ${2 * (longest + 8)}ch)` : `max(100%, ${longest + 16}ch)`
  return (
    <div className="space-y-2">
      {isWide && change.change === 'changed' && (
        <div className="flex justify-end">
          <Segmented
            label={t('agents.code.layout')}
            value={chosen}
            options={layouts.map((value) => ({ value, label: t(`agents.code.layouts.${value}`) }))}
            onChange={setChosen}
          />
        </div>
      )}
      <div
        ref={box}
        role="group"
        aria-label={change.path}
        tabIndex={0}
        className="max-h-[36rem] overflow-auto rounded-md border border-line bg-surface font-mono text-xs"
      >
        <div className="relative" style={{ height: virtualizer.getTotalSize(), width }}>
          {virtualizer.getVirtualItems().map(({ index, start }) => {
            const row = rows[index]
            const place = { transform: `translateY(${start}px)`, height: lineHeight }
            if (!row) return null
            if (row.kind === 'lines') return <Row key={index} row={row} isSplit={layout === 'split'} style={place} />
            return (
              <button
                key={index}
                type="button"
                style={place}
                onClick={() => setOpen(new Set(open).add(row.id))}
                className="absolute inset-x-0 top-0 bg-sunken px-3 text-left text-ink-3 hover:bg-hover hover:text-ink focus-visible:-outline-offset-2"
              >
                <span className="sticky left-3">{t('agents.sameLines', { count: row.count })}</span>
              </button>
            )
          })}
        </div>
      </div>
    </div>
  )
}

function Row({ row, isSplit, style }: { row: Extract<DiffRow, { kind: 'lines' }>; isSplit: boolean; style: CSSProperties }) {
  const { before, after, isSame } = row
  return (
    <div className="absolute inset-x-0 top-0 flex leading-5" style={style}>
      {isSplit ? (
        <>
          <Half side={before} kind={isSame ? 'same' : 'removed'} />
          <Half side={after} kind={isSame ? 'same' : 'added'} className="border-l border-line" />
        </>
      ) : (
        <Line kind={isSame ? 'same' : before ? 'removed' : 'added'} text={(before ?? after)?.text ?? ''} numbers={[before?.number, after?.number]} />
      )}
    </div>
  )
}

type Kind = 'same' | 'added' | 'removed'

const Half = ({ side, kind, className }: { side: Side | undefined; kind: Kind; className?: string }) => (
  <div className={cx('flex w-1/2 shrink-0', !side && 'bg-sunken', className)}>{side && <Line kind={kind} text={side.text} numbers={[side.number]} />}</div>
)

function Line({ kind, text, numbers }: { kind: Kind; text: string; numbers: readonly (number | undefined)[] }) {
  const { t } = useTexts()
  return (
    <div className={cx('flex w-full', kind === 'added' && 'bg-good-soft', kind === 'removed' && 'bg-bad-soft')}>
      {numbers.map((number, at) => (
        <span key={at} aria-hidden className="w-[6ch] shrink-0 pr-2 text-right text-ink-3 select-none">
          {number}
        </span>
      ))}
      <span aria-hidden className={cx('w-[2ch] shrink-0 select-none', kind === 'added' ? 'text-good' : kind === 'removed' ? 'text-bad' : 'text-ink-3')}>
        {{ same: ' ', added: '+', removed: '−' }[kind]}
      </span>
      {kind !== 'same' && <span className="sr-only">{t(`agents.${kind}`)} </span>}
      <span className="whitespace-pre [tab-size:2]">{text}</span>
    </div>
  )
}

/** In columns of a fixed font: what is written in Han, Kana or Hangul takes two, a tab two. */
const widthOf = (text: string): number =>
  text.length + (text.match(/[\t\u1100-\u11ff\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60]/g)?.length ?? 0)
