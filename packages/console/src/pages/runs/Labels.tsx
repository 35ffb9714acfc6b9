import { useTexts } from '../../i18n/index.ts'
import { Tag } from '../../ui/State.tsx'

const shownMax = 3

/** Whose words a run has read: what policies decide by. */
export function Labels({ labels }: { labels: readonly string[] }) {
  const { t } = useTexts()
  return (
    <span className="flex flex-wrap gap-1 py-0.5" title={labels.join('\n')}>
      {labels.slice(0, shownMax).map((label) => (
        <Tag key={label} tone="warn">
          {label}
        </Tag>
      ))}
      {labels.length > shownMax && <span className="text-xs text-ink-3">{t('run.moreLabels', { count: labels.length - shownMax })}</span>}
    </span>
  )
}
