import type { Permission } from '@longhaul/protocol'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { usePermission } from '../api/permissions.ts'
import { useTexts } from '../i18n/index.ts'
import { Button } from '../ui/Button.tsx'
import { EmptyState } from '../ui/Notes.tsx'
import { Section } from '../ui/Page.tsx'
import { RowToggle } from '../ui/Table.tsx'
import type { Column } from '../ui/Table.tsx'
import { Listing } from './Listing.tsx'

type Props<Row> = {
  id: string
  title: string
  query: { isError: boolean; error: unknown; data: { items: readonly Row[] } | undefined; refetch: () => unknown }
  /** Columns after the name. */
  columns: readonly Column<Row>[]
  nameClass: string
  skeletonRows?: number
  detailOf: (row: Row) => ReactNode
  /** What the button says that makes one, the right that it needs, and what it opens. */
  add: string
  permission: Permission
  dialog: (onClose: () => void) => ReactNode
  none: { title: string; text: string }
}

/** Things with names, each of which opens, as a part of a page. The way to make one stands beside the title, or where there is none yet in its place. */
export function NamedSection<Row extends { name: string }>({
  id,
  title,
  query,
  columns,
  nameClass,
  detailOf,
  add,
  permission,
  dialog,
  none,
  skeletonRows,
}: Props<Row>) {
  const { t } = useTexts()
  const mayMake = usePermission(permission)
  const [open, setOpen] = useState<string>()
  const [isMaking, setMaking] = useState(false)
  const button = (
    <Button size="sm" disabledBecause={mayMake ? undefined : t('common.noPermission', { permission })} onClick={() => setMaking(true)}>
      <Plus size={13} aria-hidden />
      {add}
    </Button>
  )
  const name: Column<Row> = {
    id: 'name',
    head: t('money.name'),
    className: nameClass,
    cell: (row) => (
      <RowToggle id={row.name} open={open} onOpen={setOpen}>
        {row.name}
      </RowToggle>
    ),
  }
  return (
    <Section id={id} title={title} aside={query.data && query.data.items.length > 0 ? button : undefined}>
      <Listing<Row>
        label={title}
        query={query}
        rows={query.data?.items}
        {...(skeletonRows !== undefined && { skeletonRows })}
        idOf={(row) => row.name}
        empty={
          <EmptyState title={none.title} action={button}>
            {none.text}
          </EmptyState>
        }
        detailOf={(row) => row.name === open && detailOf(row)}
        columns={[name, ...columns]}
      />
      {isMaking && dialog(() => setMaking(false))}
    </Section>
  )
}
