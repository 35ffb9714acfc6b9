import type { ReactNode } from 'react'
import { useTexts } from '../i18n/index.ts'
import { Button } from '../ui/Button.tsx'
import { aboveRow } from '../ui/Table.tsx'
import { cx } from '../ui/cx.ts'
import type { Selection } from './use-selection.ts'

export function SelectOne({ id, label, selection }: { id: string; label: string; selection: Selection }) {
  return (
    <span className={cx(aboveRow, 'flex')}>
      <input type="checkbox" aria-label={label} checked={selection.chosen.has(id)} onChange={() => selection.toggle(id)} className="size-4 accent-accent" />
    </span>
  )
}

export function SelectAll({ selection }: { selection: Selection }) {
  const { t } = useTexts()
  return (
    <Button size="sm" look="quiet" onClick={selection.chosen.size === selection.ids.length ? selection.clear : selection.chooseAll}>
      {selection.chosen.size === selection.ids.length ? t('selection.none') : t('selection.all', { count: selection.ids.length })}
    </Button>
  )
}

/** What can be done with the chosen lines. Its place at the foot of the screen is its own, so that nothing moves when it comes. */
export function SelectionBar({ selection, children }: { selection: Selection; children: ReactNode }) {
  const { t } = useTexts()
  if (selection.chosen.size === 0) return null
  return (
    <section
      aria-label={t('selection.bar')}
      className="fixed inset-x-0 bottom-4 z-30 mx-auto flex w-fit max-w-[calc(100vw-2rem)] animate-appear flex-wrap items-center gap-2 rounded-lg border border-line bg-raised px-3 py-2 text-sm shadow-raised"
    >
      <span role="status" className="font-medium whitespace-nowrap">
        {t('selection.count', { count: selection.chosen.size })}
      </span>
      {children}
      <Button size="sm" look="quiet" onClick={selection.clear}>
        {t('common.close')}
      </Button>
    </section>
  )
}
