import type { GuardDecision } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { guardActions, guardDecisionsQuery } from '../../../api/guardrails.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths, patterns } from '../../../paths.ts'
import { Button, buttonClass } from '../../../ui/Button.tsx'
import { cx } from '../../../ui/cx.ts'
import { Select } from '../../../ui/Fields.tsx'
import { formatBytes } from '../../../ui/format.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { StateIcon } from '../../../ui/State.tsx'
import type { Tone } from '../../../ui/State.tsx'
import { coversRow } from '../../../ui/Table.tsx'
import { AppLink } from '../../AppLink.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { SettingsFrame } from '../SettingsFrame.tsx'
import { guardTypes } from './guard-draft.ts'

const tones: Record<GuardDecision['action'], Tone> = { block: 'bad', mask: 'usual', annotate: 'idle', repair: 'retrying' }

/** Begins the kind of what was not looked into; what is counted are its bytes. */
const unread = 'unread:'

/** What guards found in calls of models, without the words. */
export function DecisionsPage() {
  const { t } = useTexts()
  const filter = useSearch({ from: '/shell/settings/guardrail-decisions' })
  const navigate = useNavigate()
  return (
    <SettingsFrame
      section="decisions"
      lead={t('decisions.lead')}
      actions={
        <>
          {(filter.guardrail ?? filter.run) !== undefined && (
            <Button
              onClick={() =>
                void navigate({ to: patterns.decisions, search: { guardrail: undefined, run: undefined, action: filter.action, cursor: undefined } })
              }
            >
              {t('decisions.allOf', { what: filter.guardrail ?? filter.run?.slice(-12) ?? '' })}
            </Button>
          )}
          <Select
            label={t('decisions.action')}
            value={filter.action ?? 'any'}
            options={[
              { value: 'any', label: t('decisions.anyAction') },
              ...guardActions.map((value) => ({ value: value as string, label: t(`guardrails.done.${value}`) })),
            ]}
            onChange={(value) =>
              void navigate({ to: patterns.decisions, search: { ...filter, action: value === 'any' ? undefined : value, cursor: undefined }, replace: true })
            }
          />
        </>
      }
    >
      <DecisionTable />
    </SettingsFrame>
  )
}

function DecisionTable() {
  const { t, locale } = useTexts()
  const filter = useSearch({ from: '/shell/settings/guardrail-decisions' })
  const decisions = useQuery(guardDecisionsQuery(filter))
  const isFiltered = (filter.guardrail ?? filter.action ?? filter.run) !== undefined
  const found = (counts: GuardDecision['found']) =>
    Object.entries(counts)
      .map(([kind, count]) => {
        if (!kind.startsWith(unread)) return count === 1 ? kind : `${kind} × ${count}`
        const file = kind.slice(unread.length) + (count > 0 ? ` (${formatBytes(count, locale)})` : '') // One that lies elsewhere has no size.
        return t('decisions.unread', { file })
      })
      .join(', ')
  return (
    <Listing<GuardDecision>
      query={decisions}
      label={t('admin.section.decisions')}
      rows={decisions.data?.items}
      idOf={({ id }) => id}
      empty={
        isFiltered ? (
          <EmptyState
            title={t('decisions.emptyFiltered')}
            action={
              <AppLink href={paths.decisions()} className={buttonClass('secondary')}>
                {t('runs.clear')}
              </AppLink>
            }
          />
        ) : (
          <EmptyState title={t('decisions.empty')}>{t('decisions.emptyText')}</EmptyState>
        )
      }
      newer={filter.cursor && paths.decisions({ ...filter, cursor: undefined })}
      older={decisions.data?.next ? paths.decisions({ ...filter, cursor: decisions.data.next }) : undefined}
      columns={[
        {
          id: 'action',
          head: t('decisions.action'),
          isHeadHidden: 'small',
          className: 'w-10 md:w-32',
          cell: ({ action }) => (
            <span className="flex items-center gap-2">
              <StateIcon tone={tones[action]} />
              <span className="sr-only md:not-sr-only">{t(`guardrails.done.${action}`)}</span>
            </span>
          ),
        },
        {
          id: 'found',
          head: t('decisions.found'),
          cell: ({ found: counts, runId, guard, on }) => {
            const type = guardTypes.find((one) => one === guard)
            const text = [type ? t(`guardrails.types.${type}`) : guard, found(counts), t(`guardrails.places.${on}`)].filter(Boolean).join(' · ')
            return runId ? (
              <AppLink href={paths.run(runId)} className={cx(coversRow, 'block truncate font-medium')}>
                {text}
              </AppLink>
            ) : (
              <span className="block truncate font-medium">{text}</span>
            )
          },
        },
        {
          id: 'guardrail',
          head: t('decisions.guardrail'),
          className: 'w-40 max-md:hidden',
          cell: ({ guardrail }) => <span className="block truncate text-ink-2">{guardrail}</span>,
        },
        {
          id: 'agent',
          head: t('limits.agent'),
          className: 'w-32 max-lg:hidden',
          cell: ({ agent }) => <span className="block truncate text-ink-2">{agent ?? '–'}</span>,
        },
        {
          id: 'model',
          head: t('run.model'),
          className: 'w-44 max-xl:hidden',
          cell: ({ model }) => <code className="block truncate text-xs text-ink-2">{model}</code>,
        },
        {
          id: 'at',
          head: t('deliveries.at'),
          className: 'w-28',
          isRight: true,
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
