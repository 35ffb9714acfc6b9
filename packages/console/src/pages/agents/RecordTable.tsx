import type { VersionRecord } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { formatCount, formatDuration, formatNumber, formatUsd } from '../../ui/format.ts'
import { Table } from '../../ui/Table.tsx'

/** How runs of versions fared, side by side: what a decision about them rests on. */
export function RecordTable({ records }: { records: readonly { name: string; record: VersionRecord | undefined; isBad?: boolean }[] }) {
  const { t, locale } = useTexts()
  return (
    <Table
      label={t('agents.record')}
      rows={records}
      idOf={({ name, record }) => name + record?.version}
      columns={[
        {
          id: 'version',
          head: t('agents.version'),
          cell: ({ name, record }) => (
            <span className="flex min-w-0 items-baseline gap-2">
              <span className="font-medium">{name}</span>
              <code className="truncate text-xs text-ink-3">{record?.version}</code>
            </span>
          ),
        },
        { id: 'runs', head: t('agents.ended'), isRight: true, className: 'w-18', cell: ({ record }) => (record ? formatCount(record.runCount, locale) : '–') },
        {
          id: 'failed',
          head: t('agents.failedShare'),
          isRight: true,
          className: 'w-18',
          cell: ({ record, isBad }) => (
            <span className={isBad ? 'font-medium text-bad' : ''}>
              {record && record.runCount > 0 ? `${formatNumber((record.failedCount / record.runCount) * 100, locale, 0)} %` : '–'}
            </span>
          ),
        },
        {
          id: 'duration',
          head: t('agents.median'),
          isRight: true,
          className: 'w-28 max-sm:hidden',
          cell: ({ record }) => (record === undefined || record.durationMsMedian === null ? '–' : formatDuration(record.durationMsMedian, locale)),
        },
        {
          id: 'cost',
          head: t('agents.meanCost'),
          isRight: true,
          className: 'w-28 max-sm:hidden',
          cell: ({ record }) => (record === undefined || record.costUsdMean === null ? '–' : formatUsd(record.costUsdMean, locale)),
        },
      ]}
    />
  )
}
