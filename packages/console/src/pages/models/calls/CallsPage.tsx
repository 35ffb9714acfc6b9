import type { LoggedCall } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { callsQuery } from '../../../api/calls.ts'
import { useMay } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { apiPaths, paths } from '../../../paths.ts'
import { buttonClass } from '../../../ui/Button.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { cx } from '../../../ui/cx.ts'
import { formatCount, formatDuration, formatUsd } from '../../../ui/format.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { StateIcon, Tag } from '../../../ui/State.tsx'
import { coversRow } from '../../../ui/Table.tsx'
import { AppLink } from '../../AppLink.tsx'
import { Guarded } from '../../Guarded.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { PageHead } from '../../PageHead.tsx'
import { ModelTabs } from '../ModelTabs.tsx'
import { callTones } from './call-facts.ts'
import { CallFilters } from './CallFilters.tsx'

/** The log of model calls outside of runs. */
export function CallsPage() {
  const { t } = useTexts()
  const may = useMay()
  return (
    <>
      <PageHead
        title={t('models.title')}
        lead={t('calls.lead')}
        actions={
          may('namespaces:read') && (
            <AppLink href={paths.callPrivacy()} className={buttonClass('secondary')}>
              {t('calls.whatIsKept')}
            </AppLink>
          )
        }
      />
      <ModelTabs />
      <Guarded permission="calls:read">
        <CallFilters />
        <CallTable />
      </Guarded>
    </>
  )
}

function CallTable() {
  const { t, locale } = useTexts()
  const filter = useSearch({ from: '/shell/models/calls' })
  const calls = useQuery(callsQuery(filter))
  const isFiltered = Object.entries(filter).some(([name, value]) => name !== 'cursor' && value !== undefined)
  return (
    <Listing<LoggedCall>
      query={calls}
      label={t('calls.title')}
      rows={calls.data?.items}
      skeletonRows={12}
      idOf={({ id }) => id}
      empty={isFiltered ? <NothingLikeThat /> : <NothingYet />}
      newer={filter.cursor && paths.calls({ ...filter, cursor: undefined })}
      older={calls.data?.next ? paths.calls({ ...filter, cursor: calls.data.next }) : undefined}
      columns={[
        {
          id: 'outcome',
          head: t('calls.outcome'),
          isHeadHidden: 'small',
          className: 'w-10 md:w-32',
          cell: ({ outcome }) => (
            <span className="flex items-center gap-2">
              <StateIcon tone={callTones[outcome]} />
              <span className="sr-only md:not-sr-only">{t(`calls.outcomes.${outcome}`)}</span>
            </span>
          ),
        },
        {
          id: 'model',
          head: t('models.model'),
          cell: ({ id, model, isKeptAnswer, code }) => (
            <span className="flex min-w-0 items-center gap-2">
              <AppLink href={paths.call(id)} className={cx(coversRow, 'truncate font-mono text-xs font-medium')}>
                {model}
              </AppLink>
              {isKeptAnswer && <Tag>{t('calls.kept')}</Tag>}
              {code !== null && <span className="truncate text-xs text-bad max-sm:hidden">{code}</span>}
            </span>
          ),
        },
        {
          id: 'user',
          head: t('calls.user'),
          className: 'w-36 max-lg:hidden',
          cell: ({ user }) => <span className="block truncate text-ink-2">{user ?? '–'}</span>,
        },
        {
          id: 'namespace',
          head: t('calls.namespace'),
          className: 'w-32 max-xl:hidden',
          cell: ({ namespace }) => <span className="block truncate text-ink-2">{namespace}</span>,
        },
        {
          id: 'tokens',
          head: t('calls.tokens'),
          isRight: true,
          className: 'w-24 max-md:hidden',
          cell: ({ inputTokens, outputTokens, isEstimated }) => <Figure isEstimated={isEstimated}>{formatCount(inputTokens + outputTokens, locale)}</Figure>,
        },
        {
          id: 'cost',
          head: t('runs.cost'),
          isRight: true,
          className: 'w-24 max-sm:hidden',
          cell: ({ costUsd, isEstimated }) =>
            costUsd === null ? (
              <span className="text-ink-3">{t('common.unpriced')}</span>
            ) : (
              <Figure isEstimated={isEstimated}>{formatUsd(costUsd, locale)}</Figure>
            ),
        },
        {
          id: 'duration',
          head: t('calls.duration'),
          isRight: true,
          className: 'w-24 max-md:hidden',
          cell: ({ durationMs }) => <span className="text-ink-2">{formatDuration(durationMs, locale)}</span>,
        },
        {
          id: 'at',
          head: t('calls.at'),
          isRight: true,
          className: 'w-28',
          cell: ({ at }) => (
            <span className="text-xs text-ink-3">
              <Ago at={at} />
            </span>
          ),
        },
      ]}
    />
  )
}

/** A figure that is about right says so. */
function Figure({ isEstimated, children }: { isEstimated: boolean; children: string }) {
  const { t } = useTexts()
  if (!isEstimated) return children
  return (
    <span title={t('calls.estimatedText')}>
      <span aria-hidden>≈ </span>
      <span className="sr-only">{t('calls.estimated')} </span>
      {children}
    </span>
  )
}

function NothingLikeThat() {
  const { t } = useTexts()
  return (
    <EmptyState
      title={t('calls.emptyFiltered')}
      action={
        <AppLink href={paths.calls()} className={buttonClass('secondary')}>
          {t('runs.clear')}
        </AppLink>
      }
    >
      {t('calls.emptyFilteredText')}
    </EmptyState>
  )
}

/** The address that programs are given, ready to be copied. */
function NothingYet() {
  const { t } = useTexts()
  const address = new URL(apiPaths.openai(), location.origin).href
  return (
    <EmptyState
      title={t('calls.empty')}
      action={
        <span className="flex items-center gap-1 rounded-md border border-line bg-sunken py-1 pr-1 pl-3">
          <code className="text-xs break-all">{address}</code>
          <CopyButton getText={() => address} words={{ label: t('common.copy'), done: t('common.copied') }} />
        </span>
      }
    >
      {t('calls.emptyText')}
    </EmptyState>
  )
}
