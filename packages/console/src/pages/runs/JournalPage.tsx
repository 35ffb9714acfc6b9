import type { JournalEntry } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { journalQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths, patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Code } from '../../ui/Code.tsx'
import { formatClock, formatCount } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { RowToggle } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { PageHead } from '../PageHead.tsx'
import { ExportButton } from './ExportButton.tsx'

const pageSize = 200

/** The journal row by row, as it was written, with the hash that chains each to the one before. */
export function JournalPage() {
  const { t, locale } = useTexts()
  const { runId } = useParams({ from: '/shell/runs/$runId/journal' })
  const search = useSearch({ from: '/shell/runs/$runId/journal' })
  const navigate = useNavigate()
  const after = search.after === undefined ? -1 : Number(search.after)
  const journal = useQuery(journalQuery(runId, after))
  const [open, setOpen] = useState<number>()
  const go = (to: number) => void navigate({ to: patterns.journal, params: { runId }, search: { after: to < 0 ? undefined : String(to) } })
  return (
    <>
      <PageHead
        title={t('journal.title')}
        lead={
          <>
            {t('journal.lead')}{' '}
            <AppLink href={paths.run(runId)} className="rounded-sm text-accent underline underline-offset-2">
              {t('approvals.toRun')}
            </AppLink>
          </>
        }
        actions={<ExportButton runId={runId} />}
      />
      <Listing<JournalEntry>
        label={t('journal.title')}
        query={journal}
        rows={journal.data?.items}
        skeletonRows={12}
        idOf={({ seq }) => String(seq)}
        empty={<EmptyState title={t('journal.none')} />}
        detailOf={({ seq, data, hash }) =>
          seq === open && (
            <div className="space-y-2">
              <Code text={indented(data)} language="json" words={{ more: (chars) => t('common.more', { chars: formatCount(chars, locale) }) }} />
              <p className="font-mono text-xs break-all text-ink-3">SHA-256 {hash}</p>
            </div>
          )
        }
        columns={[
          { id: 'seq', head: '#', isRight: true, className: 'w-14', cell: ({ seq }) => <span className="text-ink-3">{seq}</span> },
          {
            id: 'type',
            head: t('journal.type'),
            className: 'w-40',
            cell: ({ seq, type }) => (
              <RowToggle id={seq} open={open} onOpen={setOpen} className="truncate font-mono text-xs">
                {type}
              </RowToggle>
            ),
          },
          { id: 'op', head: t('journal.place'), className: 'w-20 max-sm:hidden', cell: ({ op }) => <code className="text-xs text-ink-3">{op ?? ''}</code> },
          {
            id: 'data',
            head: t('journal.data'),
            className: 'max-sm:hidden',
            cell: ({ data }) => <code className="block truncate text-xs text-ink-2">{data.slice(0, 300)}</code>,
          },
          {
            id: 'hash',
            head: t('journal.hash'),
            className: 'w-28 max-lg:hidden',
            cell: ({ hash }) => <code className="text-xs text-ink-3">{hash.slice(0, 10)}</code>,
          },
          {
            id: 'at',
            head: t('journal.at'),
            isRight: true,
            cell: ({ at }) => <span className="text-xs text-ink-3">{formatClock(Date.parse(at), locale)}</span>,
            className: 'w-28',
          },
        ]}
      />
      <nav aria-label={t('journal.title')} className="mt-3 flex justify-end gap-2">
        {after >= 0 && (
          <Button size="sm" onClick={() => go(after - pageSize)}>
            {t('journal.earlier')}
          </Button>
        )}
        {journal.data && journal.data.next !== null && journal.data.items.length > 0 && (
          <Button size="sm" onClick={() => go(journal.data.next ?? -1)}>
            {t('journal.later')}
          </Button>
        )}
      </nav>
    </>
  )
}

function indented(data: string): string {
  try {
    return JSON.stringify(JSON.parse(data), null, 2)
  } catch {
    return data // As it is, then.
  }
}
