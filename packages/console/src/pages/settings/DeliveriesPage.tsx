import { deliveryStates } from '@longhaul/protocol'
import type { Delivery } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { deliveriesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { cx } from '../../ui/cx.ts'
import { Select } from '../../ui/Fields.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

const tones: Record<Delivery['state'], Tone> = { pending: 'active', delivered: 'usual', failed: 'bad', dismissed: 'off' }

export function DeliveriesPage() {
  const { t } = useTexts()
  const { state } = useSearch({ from: '/shell/settings/deliveries' })
  const navigate = useNavigate()
  return (
    <SettingsFrame
      section="deliveries"
      lead={t('deliveries.lead')}
      actions={
        <Select
          label={t('deliveries.state')}
          value={state ?? 'any'}
          options={[{ value: 'any', label: t('deliveries.anyState') }, ...deliveryStates.map((value) => ({ value, label: t(`deliveries.states.${value}`) }))]}
          onChange={(value) =>
            void navigate({ to: patterns.deliveries, search: { state: value === 'any' ? undefined : value, cursor: undefined }, replace: true })
          }
        />
      }
    >
      <DeliveryTable />
    </SettingsFrame>
  )
}

function DeliveryTable() {
  const { t } = useTexts()
  const { state: filter, cursor } = useSearch({ from: '/shell/settings/deliveries' })
  const state = deliveryStates.find((each) => each === filter)
  const deliveries = useQuery(deliveriesQuery(state, cursor))
  const columns: Column<Delivery>[] = [
    {
      id: 'state',
      head: t('deliveries.state'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-32',
      cell: (delivery) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={tones[delivery.state]} />
          <span className="sr-only md:not-sr-only">{t(`deliveries.states.${delivery.state}`)}</span>
        </span>
      ),
    },
    {
      id: 'to',
      head: t('deliveries.to'),
      cell: ({ runId, destination, failure }) => (
        <>
          <AppLink href={paths.run(runId)} className={cx('block truncate font-medium', coversRow)}>
            {addressOf(destination)}
          </AppLink>
          {failure && <span className="block truncate text-xs text-bad">{failure}</span>}
        </>
      ),
    },
    {
      id: 'type',
      head: t('deliveries.type'),
      className: 'hidden w-28 md:table-cell',
      cell: ({ destination }) => <span className="text-ink-2">{t(`deliveries.types.${destination.type}`)}</span>,
    },
    {
      id: 'agent',
      head: t('limits.agent'),
      className: 'hidden w-32 lg:table-cell',
      cell: ({ agent }) => <span className="block truncate text-ink-2">{agent}</span>,
    },
    { id: 'attempt', head: t('deliveries.attempts'), className: 'hidden w-20 sm:table-cell', isRight: true, cell: ({ attempt }) => attempt },
    {
      id: 'at',
      head: t('deliveries.at'),
      className: 'w-28',
      isRight: true,
      cell: ({ createdAt, dueAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={dueAt ?? createdAt} />
        </span>
      ),
    },
  ]
  return (
    <Listing
      query={deliveries}
      label={t('admin.section.deliveries')}
      columns={columns}
      rows={deliveries.data?.items}
      idOf={({ id }) => id}
      empty={state ? <EmptyState title={t('deliveries.emptyFiltered')} /> : <EmptyState title={t('deliveries.empty')}>{t('deliveries.emptyText')}</EmptyState>}
      newer={cursor && paths.deliveries({ state })}
      older={deliveries.data?.next ? paths.deliveries({ state, cursor: deliveries.data.next }) : undefined}
    />
  )
}

function addressOf(destination: Delivery['destination']): string {
  switch (destination.type) {
    case 'webhook':
      return destination.url
    case 'run':
      return destination.agent
    case 'queue':
      return destination.queue
    case 'channel':
      return destination.channel
    case 'signal':
      return `${destination.name} → ${destination.runId}`
  }
}
