import { ChevronDown, ChevronRight } from 'lucide-react'
import { memo } from 'react'
import { useTexts } from '../../i18n/index.ts'
import type { Translate } from '../../i18n/index.ts'
import type { Entry, Row, TimeScale } from '../../timeline/index.ts'
import { cx } from '../../ui/cx.ts'
import { formatDuration } from '../../ui/format.ts'
import { StateIcon } from '../../ui/State.tsx'
import { entryTones, exitWords, wordsOf } from './entry-facts.ts'
import { KindIcon } from './KindIcon.tsx'

export const rowId = (key: string): string => `entry-${key.replaceAll('.', '-')}`

type Props = {
  row: Row
  height: number
  scale: TimeScale
  now: number
  isChosen: boolean
  isActive: boolean
  onChoose: (key: string | undefined) => void
  onToggle: (key: string, isCollapsed: boolean) => void
}

export const TimelineRow = memo(
  function TimelineRow({ row, height, scale, now, isChosen, isActive, onChoose, onToggle }: Props) {
    const { t, locale } = useTexts()
    const { entry, state } = row
    const { title, summary, isCode } = wordsOf(entry, t)
    const isMark = entry.subject.type === 'mark'
    const badge = exitWords(entry, t) ?? (entry.attempts.length > 1 ? t('timeline.tries', { count: entry.attempts.length }) : undefined)
    const isBad = state === 'failed' || (isMark && entry.failure !== null)
    const endedAt = row.endedAt ?? now
    return (
      <div
        role="treeitem"
        id={rowId(entry.key)}
        aria-level={row.depth + 1}
        aria-selected={isChosen}
        aria-expanded={row.hasChildren ? !row.isCollapsed : undefined}
        onClick={() => onChoose(isChosen ? undefined : entry.key)}
        style={{ height }}
        className={cx(
          'contain-strict flex cursor-pointer items-center border-b border-line/60 text-sm',
          isChosen ? 'bg-accent-soft' : 'hover:bg-hover',
          isActive && !isChosen && 'group-focus-visible/tree:bg-hover',
          isActive && 'group-focus-visible/tree:shadow-[inset_2px_0_0_var(--color-accent)]',
        )}
      >
        <div className="flex min-w-0 flex-1 items-center gap-2 pr-3" style={{ paddingLeft: 8 + row.depth * 20 }}>
          <Chevron row={row} onToggle={onToggle} t={t} />
          {state === 'completed' || isMark ? <KindIcon subject={entry.subject} isBad={isBad} /> : <StateIcon tone={entryTones[state]} />}
          <span className={cx('shrink-0 font-medium', isMark && 'text-ink-2', isBad && 'text-bad')}>{title}</span>
          {badge && (
            <span className={cx('shrink-0 rounded-sm px-1 text-xs', isBad || exitWords(entry, t) ? 'bg-bad-soft text-bad' : 'bg-warn-soft text-warn')}>
              {badge}
            </span>
          )}
          <span className={cx('min-w-0 flex-1 truncate', isBad ? 'text-bad' : 'text-ink-3', isCode && 'font-mono text-xs')}>{summary}</span>
        </div>
        {!isMark && <span className="sr-only">{t(`entry.state.${state}`)}</span>}
        <Bars entry={entry} row={row} scale={scale} now={now} />
        <span className="w-20 shrink-0 pr-3 text-right text-xs whitespace-nowrap text-ink-3">
          {isMark ? '' : formatDuration(endedAt - row.startedAt, locale)}
        </span>
      </div>
    )
  },
  // Time goes on only for what goes on, and the scale only while the run does.
  (before, after) =>
    before.row.entry === after.row.entry &&
    before.row.state === after.row.state &&
    before.row.depth === after.row.depth &&
    before.row.isCollapsed === after.row.isCollapsed &&
    before.row.hasChildren === after.row.hasChildren &&
    before.row.endedAt === after.row.endedAt &&
    before.height === after.height &&
    before.scale === after.scale &&
    before.isChosen === after.isChosen &&
    before.isActive === after.isActive &&
    before.onChoose === after.onChoose,
)

function Chevron({ row, onToggle, t }: { row: Row; onToggle: Props['onToggle']; t: Translate }) {
  if (!row.hasChildren) return <span className="w-3.5 shrink-0" />
  const Icon = row.isCollapsed ? ChevronRight : ChevronDown
  // Not a stop of its own for the keyboard: the arrow keys of the tree do the same.
  return (
    <span
      title={t(row.isCollapsed ? 'timeline.expand' : 'timeline.collapse')}
      onClick={(event) => {
        event.stopPropagation()
        onToggle(row.entry.key, !row.isCollapsed)
      }}
      className="-m-1 shrink-0 rounded-sm p-1 text-ink-3 hover:bg-hover hover:text-ink"
    >
      <Icon size={14} aria-hidden />
    </span>
  )
}

const barInk: Partial<Record<string, string>> = {
  model: 'bg-bar-model',
  tool: 'bg-bar-tool',
  step: 'bg-bar-tool',
  exec: 'bg-bar-exec',
  files: 'bg-bar-exec',
  artifact: 'bg-bar-exec',
}

/** The entry's tries on the run's time: where they began, how long they took, how they ended. */
function Bars({ entry, row, scale, now }: { entry: Entry; row: Row; scale: TimeScale; now: number }) {
  const { subject } = entry
  const bars =
    subject.type === 'step' && entry.attempts.length > 0
      ? entry.attempts.map(({ startedAt, endedAt, failure, isInterrupted }) => ({
          startedAt,
          endedAt: endedAt ?? now,
          ink: failure ? 'bg-bad' : (barInk[subject.kind] ?? 'bg-bar-tool'),
          isHatched: isInterrupted,
          isOpen: endedAt === null,
        }))
      : [
          {
            startedAt: row.startedAt,
            endedAt: row.endedAt ?? now,
            ink: subject.type === 'wait' ? 'bg-bar-wait' : 'bg-line-strong',
            isHatched: subject.type === 'wait',
            isOpen: row.endedAt === null,
          },
        ]
  return (
    <div aria-hidden className="relative hidden h-full w-[34%] shrink-0 border-l border-line/60 md:block">
      <div className="absolute inset-x-2 inset-y-0">
        {scale.breaks.map((gap) => (
          <span
            key={gap.from}
            className="absolute inset-y-0 bg-[repeating-linear-gradient(135deg,transparent_0_3px,var(--color-line)_3px_4px)] opacity-70"
            style={{ left: `${gap.left * 100}%`, width: `${gap.width * 100}%` }}
          />
        ))}
        {subject.type === 'mark' ? (
          <span className="absolute top-1/2 size-1.5 -translate-1/2 rounded-full bg-ink-3" style={{ left: `${scale.position(entry.startedAt) * 100}%` }} />
        ) : (
          bars.map((bar, i) => {
            const left = scale.position(bar.startedAt)
            return (
              <span
                key={i}
                className={cx(
                  'absolute top-1/2 h-2 min-w-[3px] -translate-y-1/2 rounded-[2px]',
                  bar.ink,
                  bar.isHatched && 'hatched',
                  bar.isOpen && 'animate-pulse-slow',
                )}
                style={{ left: `min(${left * 100}%, 100% - 3px)`, width: `${(scale.position(bar.endedAt) - left) * 100}%` }}
              />
            )
          })
        )}
      </div>
    </div>
  )
}
