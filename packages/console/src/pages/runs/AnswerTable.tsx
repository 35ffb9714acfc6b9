import type { TablePart } from '@longhaul/protocol'
import { ArrowDown, ArrowUp, ChevronsUpDown } from 'lucide-react'
import { useMemo, useState } from 'react'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { cx } from '../../ui/cx.ts'
import { formatNumber } from '../../ui/format.ts'
import { numberStyleOf, sortRows, toCsv } from './answer-table.ts'
import type { Sort } from './answer-table.ts'

const rowsAtFirst = 15

/** `isTitled` is false beside a picture of the same title, which would only be repeated. */
export function AnswerTable({ part, isTitled = true }: { part: TablePart; isTitled?: boolean }) {
  const { t, locale } = useTexts()
  const [sort, setSort] = useState<Sort | null>(null)
  const [isWhole, setWhole] = useState(false)
  const rows = useMemo(() => sortRows(part.rows, sort, locale), [part.rows, sort, locale])
  const styles = useMemo(
    () =>
      part.columns.map((column, i) =>
        numberStyleOf(
          column,
          part.rows.map((row) => row[i] ?? null),
        ),
      ),
    [part],
  )
  const shown = isWhole ? rows : rows.slice(0, rowsAtFirst)
  // Scrolled sideways, a row must still say what it is about.
  const isWide = part.columns.length > 8
  const isCut = part.rowCount > part.rows.length
  // Three states in turn: the way the column is read first, the other way, as the query gave it.
  const press = (column: number) => {
    const first = part.columns[column]?.type === 'number'
    setSort((now) => (now?.column !== column ? { column, isDescending: first } : now.isDescending === first ? { column, isDescending: !first } : null))
  }
  return (
    <figure className="min-w-0 overflow-hidden rounded-lg border border-line bg-surface">
      <figcaption className="flex min-h-9 items-center justify-between gap-3 border-b border-line pr-1 pl-3 text-sm">
        <span className="min-w-0 truncate font-medium">{(isTitled && part.title) || t('answer.table')}</span>
        <span className="flex shrink-0 items-center gap-2 text-xs text-ink-3">
          {isCut
            ? t('answer.cut', { shown: formatNumber(part.rows.length, locale), total: formatNumber(part.rowCount, locale) })
            : t('answer.rows', { count: part.rowCount })}
          <CopyButton getText={() => toCsv({ columns: part.columns, rows })} words={{ label: t('answer.csv'), done: t('common.copied') }} />
        </span>
      </figcaption>
      <div className="overflow-x-auto" tabIndex={0} role="region" aria-label={part.title ?? t('answer.table')}>
        <table className="w-full border-collapse text-sm">
          <thead>
            <tr className="border-b border-line bg-sunken">
              {part.columns.map((column, i) => {
                const direction = sort?.column === i ? (sort.isDescending ? 'descending' : 'ascending') : 'none'
                const Icon = direction === 'none' ? ChevronsUpDown : direction === 'ascending' ? ArrowUp : ArrowDown
                return (
                  <th
                    key={i}
                    scope="col"
                    aria-sort={direction}
                    className={cx('p-0 font-medium', isWide && i === 0 && 'left-0 bg-sunken sm:sticky', column.type === 'number' ? 'text-right' : 'text-left')}
                  >
                    <button
                      type="button"
                      title={t('answer.sortBy', { column: column.name })}
                      onClick={() => press(i)}
                      className={cx(
                        'inline-flex w-full items-center gap-1 px-3 py-1.5 text-xs text-ink-2 hover:text-ink focus-visible:outline-offset-[-2px]',
                        column.type === 'number' && 'flex-row-reverse',
                      )}
                    >
                      <span className="whitespace-nowrap">{column.name}</span>
                      <Icon size={12} aria-hidden className={direction === 'none' ? 'opacity-40' : 'text-accent'} />
                    </button>
                  </th>
                )
              })}
            </tr>
          </thead>
          <tbody className="divide-y divide-line">
            {shown.map((row, r) => (
              <tr key={r} className="hover:bg-hover">
                {part.columns.map((column, i) => {
                  const cell = row[i] ?? null
                  const isNumber = typeof cell === 'number'
                  return (
                    <td
                      key={i}
                      title={isNumber ? String(cell) : undefined}
                      className={cx(
                        'px-3 py-1.5',
                        column.type === 'number' ? 'text-right whitespace-nowrap' : isLong(cell) ? 'max-w-96 min-w-56' : 'whitespace-nowrap',
                        isWide && i === 0 && 'left-0 bg-surface sm:sticky',
                      )}
                    >
                      {cell === null ? <span className="text-ink-3">–</span> : isNumber ? styles[i]?.(cell, locale) : String(cell)}
                    </td>
                  )
                })}
              </tr>
            ))}
          </tbody>
        </table>
        {part.rows.length === 0 && <p className="px-3 py-6 text-center text-sm text-ink-2">{t('answer.empty')}</p>}
      </div>
      {shown.length < rows.length && (
        <div className="border-t border-line p-1">
          <Button size="sm" look="quiet" onClick={() => setWhole(true)}>
            {t('answer.showAll', { count: rows.length })}
          </Button>
        </div>
      )}
    </figure>
  )
}

/** Short texts stay on one line; what does not fit is scrolled to. Long ones are read as paragraphs. */
const isLong = (cell: TablePart['rows'][number][number]): boolean => typeof cell === 'string' && cell.length > 28
