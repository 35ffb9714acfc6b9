import type { AuditEntry } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { auditQuery } from '../../api/audit.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { formatInstant, formatNumber } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { RowToggle } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { JsonView } from '../JsonView.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'

const tones: Record<AuditEntry['outcome'], Tone> = { done: 'usual', refused: 'warn', failed: 'bad' }

export function AuditTable() {
  const { t, locale } = useTexts()
  const search = useSearch({ from: '/shell/audit' })
  const { cursor, ...filter } = search
  const audit = useQuery(auditQuery(search))
  const [open, setOpen] = useState<number>()
  const isFiltered = Object.values(filter).some((field) => field !== undefined)
  const columns: Column<AuditEntry>[] = [
    {
      id: 'outcome',
      head: t('audit.outcome'),
      isHeadHidden: 'small',
      className: 'w-10 md:w-28',
      cell: ({ outcome }) => (
        <span className="flex items-center gap-2">
          <StateIcon tone={tones[outcome]} />
          <span className="sr-only md:not-sr-only">{t(`audit.outcomes.${outcome}`)}</span>
        </span>
      ),
    },
    {
      id: 'action',
      head: t('audit.action'),
      cell: ({ seq, action, target, who }) => (
        <>
          <RowToggle id={seq} open={open} onOpen={setOpen} className="max-w-full truncate text-left font-mono text-xs font-medium">
            {action}
          </RowToggle>
          <span className="block truncate text-xs text-ink-3 md:hidden">
            {who.name} {target && `→ ${target}`}
          </span>
        </>
      ),
    },
    {
      id: 'target',
      head: t('audit.target'),
      className: 'hidden w-[30%] md:table-cell',
      cell: ({ target }) => <span className="block truncate font-mono text-xs text-ink-2">{target ?? '–'}</span>,
    },
    { id: 'who', head: t('audit.who'), className: 'hidden w-40 md:table-cell', cell: ({ who }) => <span className="block truncate">{who.name}</span> },
    {
      id: 'at',
      head: t('audit.at'),
      className: 'w-28 md:w-44',
      isRight: true,
      cell: ({ at }) => (
        <span className="text-xs text-ink-2">
          <time dateTime={at} className="hidden md:inline">
            {formatInstant(Date.parse(at), locale)}
          </time>
          <span className="md:hidden">
            <Ago at={at} />
          </span>
        </span>
      ),
    },
    {
      id: 'seq',
      head: t('audit.seq'),
      className: 'hidden w-20 sm:table-cell',
      isRight: true,
      cell: ({ seq }) => <span className="text-xs text-ink-3">{formatNumber(seq, locale)}</span>,
    },
  ]
  return (
    <Listing
      query={audit}
      label={t('audit.title')}
      columns={columns}
      rows={audit.data?.items}
      idOf={({ seq }) => String(seq)}
      detailOf={(entry) => (open === entry.seq ? <Detail entry={entry} /> : null)}
      skeletonRows={12}
      empty={
        isFiltered ? (
          <EmptyState
            title={t('audit.emptyFiltered')}
            action={
              <AppLink href={paths.audit()} className={buttonClass()}>
                {t('audit.clear')}
              </AppLink>
            }
          />
        ) : (
          <EmptyState title={t('audit.empty')}>{t('audit.emptyText')}</EmptyState>
        )
      }
      newer={cursor && paths.audit(filter)}
      older={audit.data?.next ? paths.audit({ ...filter, cursor: audit.data.next }) : undefined}
    />
  )
}

function Detail({ entry: { action, target, who, requestId, hash, detail } }: { entry: AuditEntry }) {
  const { t } = useTexts()
  return (
    <div className="grid gap-x-10 gap-y-3 lg:grid-cols-2">
      <dl className="grid grid-cols-[6rem_minmax(0,1fr)] content-start gap-x-4 gap-y-1 text-xs">
        <Fact name={t('audit.who')} value={who.name} note={who.id ?? t('audit.theServer')} />
        {target !== null && <Fact name={t('audit.target')} value={target} />}
        {requestId !== null && <Fact name={t('audit.request')} value={requestId} />}
        <Fact name={t('audit.hash')} value={hash} />
        <dt />
        <dd className="flex flex-wrap gap-1 pt-1">
          {who.id !== null && (
            <AppLink href={paths.audit({ who: who.id })} className={buttonClass('secondary', 'sm')}>
              {t('audit.allBy', { name: who.name })}
            </AppLink>
          )}
          <AppLink href={paths.audit({ action })} className={buttonClass('secondary', 'sm')}>
            {t('audit.allOf', { action })}
          </AppLink>
          <CopyButton getText={() => hash} words={{ label: t('audit.copyHash'), done: t('common.copied') }} />
        </dd>
      </dl>
      <div className="min-w-0">
        <JsonView value={detail} />
      </div>
    </div>
  )
}

function Fact({ name, value, note }: { name: string; value: string; note?: string }) {
  return (
    <>
      <dt className="text-ink-3">{name}</dt>
      <dd className="min-w-0 font-mono break-all text-ink">
        {value}
        {note && <span className="ml-2 text-ink-3">{note}</span>}
      </dd>
    </>
  )
}
