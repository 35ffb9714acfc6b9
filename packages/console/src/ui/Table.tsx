import { Fragment, useLayoutEffect, useRef, useState } from 'react'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'
import { Skeleton } from './Notes.tsx'

export type Column<Row> = {
  id: string
  head: string
  /** Heads of actions are there for those who cannot see them; `small`: on small screens, where an icon alone is left of a state. */
  isHeadHidden?: true | 'small'
  /** Its width, and from which screen on it is there. */
  className?: string
  isRight?: boolean
  cell: (row: Row) => ReactNode
}

export type TableProps<Row> = {
  label: string
  columns: readonly Column<Row>[]
  /** Absent while they are being loaded: their place is held. */
  rows: readonly Row[] | undefined
  idOf: (row: Row) => string
  /** What stands below a row that is open. */
  detailOf?: (row: Row) => ReactNode
  skeletonRows?: number
}

/** Rows of one height under heads that stay put, also while the first ones are loaded. */
export function Table<Row>({ label, columns, rows, idOf, detailOf, skeletonRows = 5 }: TableProps<Row>) {
  const { heads, shownCount } = useShownCount()
  return (
    <div className="relative overflow-hidden rounded-lg border border-line bg-surface">
      <table aria-label={label} aria-busy={rows === undefined || undefined} className="w-full table-fixed border-collapse text-sm">
        <thead className="border-b border-line bg-sunken">
          <tr ref={heads}>
            {columns.map(({ id, head, isHeadHidden, className, isRight }) => (
              <th
                key={id}
                scope="col"
                className={cx('truncate px-3 py-2 text-left text-xs font-medium whitespace-nowrap text-ink-3', isRight && 'text-right', className)}
              >
                <span className={cx(isHeadHidden && 'sr-only', isHeadHidden === 'small' && 'md:not-sr-only')}>{head}</span>
              </th>
            ))}
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows === undefined
            ? Array.from({ length: skeletonRows }, (_, row) => (
                <tr key={row}>
                  {columns.map(({ id, className }, column) => (
                    <td key={id} className={cx('h-9 px-3', className)}>
                      {column === columns.length - 1 ? null : <Skeleton className={column === 0 ? 'h-3 w-2/3' : 'h-3 w-1/2'} />}
                    </td>
                  ))}
                </tr>
              ))
            : rows.map((row) => {
                const detail = detailOf?.(row)
                return (
                  <Fragment key={idOf(row)}>
                    <tr className={cx('relative', detailOf ? 'hover:bg-hover' : 'has-[a[data-row]]:hover:bg-hover')}>
                      {columns.map(({ id, className, isRight, cell }) => (
                        <td key={id} className={cx('h-9 px-3 py-1 align-middle', isRight && 'text-right whitespace-nowrap', className)}>
                          {cell(row)}
                        </td>
                      ))}
                    </tr>
                    {detail && (
                      <tr>
                        <td colSpan={shownCount ?? columns.length} className="bg-sunken p-3">
                          {detail}
                        </td>
                      </tr>
                    )}
                  </Fragment>
                )
              })}
        </tbody>
      </table>
    </div>
  )
}

/** How many columns there are on this screen: a cell over more of them than are there would make room for the others. */
function useShownCount() {
  const heads = useRef<HTMLTableRowElement>(null)
  const [shownCount, setShownCount] = useState<number>()
  useLayoutEffect(() => {
    const row = heads.current
    if (!row) return
    const observer = new ResizeObserver(() => setShownCount([...row.cells].filter((cell) => cell.offsetWidth > 0).length))
    observer.observe(row)
    return () => observer.disconnect()
  }, [])
  return { heads, shownCount }
}

/** The class of a link or button that covers its whole row. */
export const coversRow =
  'after:absolute after:inset-0 focus-visible:outline-none focus-visible:after:rounded-sm focus-visible:after:outline-2 focus-visible:after:-outline-offset-2 focus-visible:after:outline-accent'
/** What else can be pressed in such a row. */
export const aboveRow = 'relative z-10'

/** The name in a row that opens: all of the row can be pressed, and what stands below it comes and goes. */
export function RowToggle<Id extends string | number>({
  id,
  open,
  onOpen,
  className = 'block max-w-full truncate font-medium',
  children,
}: {
  id: Id
  open: Id | undefined
  onOpen: (id: Id | undefined) => void
  className?: string
  children: ReactNode
}) {
  return (
    <button type="button" aria-expanded={id === open} onClick={() => onOpen(id === open ? undefined : id)} className={cx(coversRow, className)}>
      {children}
    </button>
  )
}
