import { useQuery } from '@tanstack/react-query'
import { attentionQuery } from '../../api/attention.ts'
import { approvalsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { cx } from '../../ui/cx.ts'

export function PendingCount() {
  const { t } = useTexts()
  const { data } = useQuery(approvalsQuery('pending'))
  const count = data?.items.length ?? 0
  return <Count count={count} isMore={Boolean(data?.next)} label={t('nav.pending', { count })} tone="warn" />
}

export function AttentionCount() {
  const { t } = useTexts()
  const { data } = useQuery(attentionQuery({}))
  const count = data?.items.length ?? 0
  return <Count count={count} isMore={Boolean(data?.next)} label={t('attention.count', { count })} tone="bad" />
}

function Count({ count, isMore, label, tone }: { count: number; isMore: boolean; label: string; tone: 'warn' | 'bad' }) {
  if (count === 0) return null
  return (
    <span
      role="img"
      aria-label={label}
      className={cx(
        'ml-auto inline-flex h-4.5 min-w-4.5 items-center justify-center rounded-sm px-1 text-xs font-medium',
        tone === 'warn' ? 'bg-warn-soft text-warn' : 'bg-bad-soft text-bad',
      )}
    >
      {count}
      {isMore ? '+' : ''}
    </span>
  )
}
