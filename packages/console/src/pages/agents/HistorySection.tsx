import type { UseQueryResult } from '@tanstack/react-query'
import type { ReactNode } from 'react'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Section } from '../../ui/Page.tsx'
import type { TableProps } from '../../ui/Table.tsx'
import { Listing } from '../Listing.tsx'

type Props<Row> = Omit<TableProps<Row>, 'label' | 'rows'> & {
  id: string
  title: string
  query: UseQueryResult<{ items: Row[]; next: string | null }>
  /** How many are asked for. */
  limit: number
  onLimit: (limit: number) => void
  empty: ReactNode
}

const limitMax = 200

/** What happened to an agent, newest first, as one part of its page: more of it on request, below what is there. */
export function HistorySection<Row>({ id, title, query, limit, onLimit, empty, ...table }: Props<Row>) {
  const { t } = useTexts()
  return (
    <Section id={id} title={title}>
      <Listing<Row> {...table} label={title} query={query} rows={query.data?.items} empty={empty} />
      {query.data?.next && limit < limitMax && (
        <div className="mt-3 flex justify-end">
          <Button size="sm" onClick={() => onLimit(Math.min(limitMax, limit + 40))}>
            {t('agents.showOlder')}
          </Button>
        </div>
      )}
    </Section>
  )
}
