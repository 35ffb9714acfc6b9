import { attentionReasons } from '@longhaul/protocol/plain'
import type { AttentionItem } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Check, GitFork, RotateCw } from 'lucide-react'
import { useState } from 'react'
import { attentionQuery } from '../../api/attention.ts'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { agentsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Select } from '../../ui/Fields.tsx'
import { EmptyState, ErrorNote } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { ForkManyDialog } from '../runs/fork/ForkManyDialog.tsx'
import { SelectionBar, SelectAll, SelectOne } from '../Selection.tsx'
import { useSelection } from '../use-selection.ts'

/** Runs and deliveries that will not go on by themselves: why, and what to do about one or many of them. */
export function AttentionPage() {
  const { t } = useTexts()
  const filter = useSearch({ from: '/shell/attention' })
  const navigate = useNavigate()
  const items = useQuery(attentionQuery(filter))
  const agents = useQuery(agentsQuery())
  const selection = useSelection(items.data?.items.map(({ id }) => id))
  const mayWrite = usePermission('runs:write')
  const queryClient = useQueryClient()
  const act = useMutation({
    mutationFn: (what: 'retry' | 'dismiss') => client.attention[what]({ ids: [...selection.chosen] }),
    onSuccess: selection.clear,
    onSettled: () => Promise.all(['attention', 'runs'].map((key) => queryClient.invalidateQueries({ queryKey: [key] }))),
  })
  const [isForking, setForking] = useState(false)
  const chosen = items.data?.items.filter(({ id }) => selection.chosen.has(id)) ?? []
  const lacking = mayWrite ? undefined : t('common.noPermission', { permission: 'runs:write' })
  const change = (changes: { agent?: string | undefined; reason?: string | undefined }) =>
    void navigate({ to: patterns.attention, search: { ...filter, ...changes, cursor: undefined }, replace: true })
  const isFiltered = filter.agent !== undefined || filter.reason !== undefined
  return (
    <>
      <PageHead
        title={t('attention.title')}
        lead={t('attention.lead')}
        actions={
          <>
            <Select
              label={t('attention.why')}
              value={filter.reason ?? ''}
              options={[
                { value: '', label: t('attention.anyReason') },
                ...attentionReasons.map((value) => ({ value: value as string, label: t(`attention.reasons.${value}`) })),
              ]}
              onChange={(reason) => change({ reason: reason || undefined })}
            />
            <Select
              label={t('runs.agent')}
              value={filter.agent ?? ''}
              options={[
                { value: '', label: t('runs.anyAgent') },
                ...[...new Set([...(agents.data?.items ?? []).map(({ name }) => name), ...(filter.agent ? [filter.agent] : [])])].map((value) => ({
                  value,
                  label: value,
                })),
              ]}
              onChange={(agent) => change({ agent: agent || undefined })}
            />
          </>
        }
      />
      {act.isError && <RequestError error={act.error} />}
      {act.data && act.data.left.length > 0 && (
        <div className="mb-3">
          <ErrorNote title={t('attention.left', { count: act.data.left.length })} cause={[...new Set(act.data.left.map(({ problem }) => problem))].join(' ')} />
        </div>
      )}
      <p role="status" className="mb-2 text-sm text-ink-2 empty:hidden">
        {act.data && act.data.done.length > 0 && t('attention.done', { count: act.data.done.length })}
      </p>
      <Listing<AttentionItem>
        label={t('attention.title')}
        query={items}
        rows={items.data?.items}
        idOf={({ id }) => id}
        empty={<EmptyState title={t(isFiltered ? 'attention.noneFiltered' : 'attention.none')}>{t('attention.noneText')}</EmptyState>}
        newer={filter.cursor && paths.attention({ ...filter, cursor: undefined })}
        older={items.data?.next ? paths.attention({ ...filter, cursor: items.data.next }) : undefined}
        columns={[
          {
            id: 'select',
            head: t('selection.choose'),
            isHeadHidden: true,
            className: 'w-9',
            cell: ({ id, message }) => <SelectOne id={id} label={t('selection.one', { what: message.slice(0, 80) })} selection={selection} />,
          },
          {
            id: 'why',
            head: t('attention.why'),
            className: 'w-14 sm:w-32',
            cell: ({ reason }) => (
              <span className="flex items-center gap-2">
                <StateIcon tone={reason === 'failed' || reason === 'undelivered' ? 'bad' : 'warn'} />
                <span className="truncate max-sm:sr-only">{t(`attention.reasons.${reason}`)}</span>
              </span>
            ),
          },
          {
            id: 'message',
            head: t('attention.cause'),
            cell: ({ runId, message }) => (
              <AppLink href={paths.run(runId)} className={cx(coversRow, 'line-clamp-3 sm:line-clamp-1')}>
                {message.split('\n')[0] || t('attention.unknown')}
              </AppLink>
            ),
          },
          {
            id: 'agent',
            head: t('runs.agent'),
            className: 'w-32 max-md:hidden',
            cell: ({ agent }) => <span className="block truncate text-ink-2">{agent}</span>,
          },
          {
            id: 'at',
            head: t('runs.started'),
            isRight: true,
            className: 'w-24',
            cell: ({ createdAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={createdAt} />
              </span>
            ),
          },
        ]}
      />
      <SelectionBar selection={selection}>
        <SelectAll selection={selection} />
        <Button size="sm" disabledBecause={lacking} isBusy={act.isPending} onClick={() => act.mutate('retry')}>
          <RotateCw size={13} aria-hidden />
          {t('attention.retry')}
        </Button>
        <Button
          size="sm"
          disabledBecause={lacking ?? (chosen.some(({ kind }) => kind !== 'run') ? t('attention.onlyRuns') : undefined)}
          onClick={() => setForking(true)}
        >
          <GitFork size={13} aria-hidden />
          {t('fork.button')}
        </Button>
        <Button
          size="sm"
          disabledBecause={lacking ?? (chosen.some(({ reason }) => reason !== 'failed' && reason !== 'undelivered') ? t('attention.stillWaits') : undefined)}
          isBusy={act.isPending}
          onClick={() => act.mutate('dismiss')}
        >
          <Check size={13} aria-hidden />
          {t('attention.dismiss')}
        </Button>
      </SelectionBar>
      {isForking && <ForkManyDialog runIds={[...new Set(chosen.map(({ runId }) => runId))]} onDone={selection.clear} onClose={() => setForking(false)} />}
    </>
  )
}
