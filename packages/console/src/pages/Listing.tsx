import type { ReactNode } from 'react'
import { useTexts } from '../i18n/index.ts'
import { Button, buttonClass } from '../ui/Button.tsx'
import { Table } from '../ui/Table.tsx'
import type { TableProps } from '../ui/Table.tsx'
import { AppLink } from './AppLink.tsx'
import { RequestError } from './ErrorPages.tsx'

type Query = { isError: boolean; error: unknown; data: unknown; refetch: () => unknown }

/** What a query found, as a table: while it loads, when it failed, when there is nothing, and where it goes on. */
export function Listing<Row>({
  query,
  empty,
  newer,
  older,
  ...table
}: TableProps<Row> & { query: Query; empty: ReactNode; newer?: string | undefined; older?: string | undefined }) {
  const { t } = useTexts()
  if (query.isError && query.data === undefined)
    return <RequestError error={query.error} action={<Button onClick={() => void query.refetch()}>{t('admin.again')}</Button>} />
  return (
    <>
      {table.rows?.length === 0 ? <div className="rounded-lg border border-line bg-surface">{empty}</div> : <Table {...table} />}
      {(newer ?? older) && (
        <nav aria-label={table.label} className="mt-4 flex justify-end gap-2">
          {newer && (
            <AppLink href={newer} className={buttonClass('secondary', 'sm')}>
              {t('common.newer')}
            </AppLink>
          )}
          {older && (
            <AppLink href={older} className={buttonClass('secondary', 'sm')}>
              {t('common.older')}
            </AppLink>
          )}
        </nav>
      )}
    </>
  )
}
