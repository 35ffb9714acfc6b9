import type { Policy } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Plus } from 'lucide-react'
import { policiesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { coversRow } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PolicyTester } from './PolicyTester.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

export function PoliciesPage() {
  const { t } = useTexts()
  return (
    <SettingsFrame
      section="policies"
      lead={t('policies.lead')}
      actions={
        <AppLink href={paths.newPolicy()} className={buttonClass('primary')}>
          <Plus size={14} aria-hidden />
          {t('policies.create')}
        </AppLink>
      }
    >
      <PolicyTable />
      <div className="mt-8">
        <PolicyTester />
      </div>
    </SettingsFrame>
  )
}

function PolicyTable() {
  const { t } = useTexts()
  const policies = useQuery(policiesQuery())
  const columns: Column<Policy>[] = [
    {
      id: 'name',
      head: t('policies.name'),
      className: 'md:w-56',
      cell: ({ name }) => (
        <AppLink href={paths.policy(name)} className={cx('block truncate font-medium', coversRow)}>
          {name}
        </AppLink>
      ),
    },
    {
      id: 'description',
      head: t('admin.description'),
      className: 'hidden md:table-cell',
      cell: ({ description }) => <span className="block truncate text-ink-2">{description || '–'}</span>,
    },
    { id: 'version', head: t('policies.version'), className: 'w-20', isRight: true, cell: ({ version }) => version },
    {
      id: 'by',
      head: t('policies.by'),
      className: 'hidden w-32 lg:table-cell',
      cell: ({ createdBy }) => <span className="block truncate text-ink-2">{createdBy}</span>,
    },
    {
      id: 'at',
      head: t('policies.at'),
      className: 'w-28',
      isRight: true,
      cell: ({ createdAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={createdAt} />
        </span>
      ),
    },
  ]
  return (
    <Listing
      query={policies}
      label={t('admin.section.policies')}
      columns={columns}
      rows={policies.data?.items}
      idOf={({ name }) => name}
      skeletonRows={3}
      empty={<EmptyState title={t('policies.empty')}>{t('policies.emptyText')}</EmptyState>}
    />
  )
}
