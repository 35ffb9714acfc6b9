import type { Queue } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Eye } from 'lucide-react'
import { useState } from 'react'
import { usePermission } from '../../../api/permissions.ts'
import { queuesQuery } from '../../../api/settings.ts'
import { useTexts } from '../../../i18n/index.ts'
import { apiPaths, paths } from '../../../paths.ts'
import { Button } from '../../../ui/Button.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { formatNumber } from '../../../ui/format.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { RowToggle } from '../../../ui/Table.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { LookDialog } from './LookDialog.tsx'

/** Queues with messages about the ends of runs, for programs that fetch them. */
export function QueuesPage() {
  const { t, locale } = useTexts()
  const { cursor } = useSearch({ from: '/shell/settings/queues' })
  const queues = useQuery(queuesQuery(cursor))
  const [open, setOpen] = useState<string>()
  return (
    <SettingsFrame section="queues" lead={t('queues.lead')}>
      <Listing<Queue>
        query={queues}
        label={t('admin.section.queues')}
        rows={queues.data?.items}
        skeletonRows={3}
        idOf={({ name }) => name}
        empty={<EmptyState title={t('queues.empty')}>{t('queues.emptyText')}</EmptyState>}
        newer={cursor && paths.queues()}
        older={queues.data?.next ? paths.queues({ cursor: queues.data.next }) : undefined}
        detailOf={({ name }) => name === open && <QueueDetail name={name} />}
        columns={[
          {
            id: 'name',
            head: t('queues.name'),
            cell: ({ name }) => (
              <RowToggle id={name} open={open} onOpen={setOpen}>
                {name}
              </RowToggle>
            ),
          },
          { id: 'ready', head: t('queues.ready'), className: 'w-24', isRight: true, cell: ({ readyCount }) => formatNumber(readyCount, locale) },
          {
            id: 'taken',
            head: t('queues.taken'),
            className: 'w-24 max-sm:hidden',
            isRight: true,
            cell: ({ takenCount }) => <span className="text-ink-2">{formatNumber(takenCount, locale)}</span>,
          },
          {
            id: 'oldest',
            head: t('queues.oldest'),
            className: 'w-28',
            isRight: true,
            cell: ({ oldestAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={oldestAt} />
              </span>
            ),
          },
        ]}
      />
    </SettingsFrame>
  )
}

function QueueDetail({ name }: { name: string }) {
  const { t } = useTexts()
  const mayWrite = usePermission('runs:write')
  const [isLooking, setLooking] = useState(false)
  const command = `curl -X POST ${location.origin}${apiPaths.receive(name)} -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"max":10,"waitMs":20000}'`
  return (
    <div className="space-y-3">
      <div className="space-y-1.5 text-sm">
        <p className="font-medium">{t('queues.fetch')}</p>
        <div className="flex items-start gap-1 rounded-md border border-line bg-surface py-1 pr-1 pl-3">
          <code className="min-w-0 flex-1 py-1 text-xs break-all">{command}</code>
          <CopyButton getText={() => command} words={{ label: t('common.copy'), done: t('common.copied') }} />
        </div>
        <p className="text-xs text-ink-3">{t('queues.fetchText')}</p>
      </div>
      <Button size="sm" disabledBecause={mayWrite ? undefined : t('common.noPermission', { permission: 'runs:write' })} onClick={() => setLooking(true)}>
        <Eye size={13} aria-hidden />
        {t('queues.look')}
      </Button>
      {isLooking && <LookDialog queue={name} onClose={() => setLooking(false)} />}
    </div>
  )
}
