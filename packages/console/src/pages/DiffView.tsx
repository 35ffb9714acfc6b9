import { Fragment, useMemo, useState } from 'react'
import { useTexts } from '../i18n/index.ts'
import { cx } from '../ui/cx.ts'
import { diffLines, foldSame } from '../ui/diff-lines.ts'
import type { DiffLine } from '../ui/diff-lines.ts'

/** Two texts line by line: what is gone, what is new, and of what is the same only what is near it. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const { t } = useTexts()
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set())
  const parts = useMemo(() => foldSame(diffLines(before, after)), [before, after])
  return (
    <div
      role="group"
      aria-label={label}
      tabIndex={0}
      className="max-h-[36rem] overflow-auto rounded-lg border border-line bg-surface py-1 font-mono text-xs leading-5"
    >
      {parts.map(({ lines, isFolded }, i) =>
        isFolded && !open.has(i) ? (
          <button
            key={i}
            type="button"
            onClick={() => setOpen(new Set(open).add(i))}
            className="my-1 block w-full border-y border-line bg-sunken px-3 py-0.5 text-left text-ink-3 hover:bg-hover hover:text-ink focus-visible:-outline-offset-2"
          >
            {t('agents.sameLines', { count: lines.length })}
          </button>
        ) : (
          <Fragment key={i}>
            {lines.map((line, j) => (
              <Line key={j} line={line} />
            ))}
          </Fragment>
        ),
      )}
    </div>
  )
}

function Line({ line: { kind, text } }: { line: DiffLine }) {
  const { t } = useTexts()
  return (
    <div className={cx('flex px-3', kind === 'added' && 'bg-good-soft', kind === 'removed' && 'bg-bad-soft')}>
      <span aria-hidden className={cx('w-4 shrink-0 select-none', kind === 'added' ? 'text-good' : kind === 'removed' ? 'text-bad' : 'text-ink-3')}>
        {{ same: ' ', added: '+', removed: '−' }[kind]}
      </span>
      {kind !== 'same' && <span className="sr-only">{t(`agents.${kind}`)} </span>}
      <span className="min-w-0 break-words whitespace-pre-wrap">{text}</span>
    </div>
  )
}
