import { useTexts } from '../i18n/index.ts'
import { cx } from '../ui/cx.ts'
import { diffLines } from '../ui/diff-lines.ts'

/** Two texts line by line: what is gone and what is new. */
export function DiffView({ before, after, label }: { before: string; after: string; label: string }) {
  const { t } = useTexts()
  return (
    <div
      role="group"
      aria-label={label}
      tabIndex={0}
      className="max-h-[36rem] overflow-auto rounded-lg border border-line bg-surface py-1 font-mono text-xs leading-5"
    >
      {diffLines(before, after).map(({ kind, text }, i) => (
        <div key={i} className={cx('flex px-3', kind === 'added' && 'bg-good-soft', kind === 'removed' && 'bg-bad-soft')}>
          <span aria-hidden className={cx('w-4 shrink-0 select-none', kind === 'added' ? 'text-good' : kind === 'removed' ? 'text-bad' : 'text-ink-3')}>
            {{ same: ' ', added: '+', removed: '−' }[kind]}
          </span>
          {kind !== 'same' && <span className="sr-only">{t(`agents.${kind}`)} </span>}
          <span className="min-w-0 break-words whitespace-pre-wrap">{text}</span>
        </div>
      ))}
    </div>
  )
}
