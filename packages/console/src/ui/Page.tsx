import type { ReactNode } from 'react'
import { cx } from './cx.ts'

/** A part of a page under its own heading. */
export function Section({
  id,
  title,
  aside,
  children,
  className,
}: {
  id: string
  title: ReactNode
  aside?: ReactNode
  children: ReactNode
  className?: string
}) {
  return (
    <section aria-labelledby={id} className={cx('min-w-0', className)}>
      <div className="mb-2 flex min-h-7 flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <h2 id={id} className="text-base font-semibold">
          {title}
        </h2>
        {aside && <div className="flex flex-wrap items-center gap-2 text-sm">{aside}</div>}
      </div>
      {children}
    </section>
  )
}

/** A few figures side by side, without boxes. */
export function Figures({ children }: { children: ReactNode }) {
  return <dl className="grid grid-cols-3 gap-x-4 gap-y-3 border-y border-line py-3 sm:flex sm:flex-wrap sm:gap-x-10">{children}</dl>
}

export function Figure({ name, children, note }: { name: ReactNode; children: ReactNode; note?: ReactNode }) {
  return (
    <div className="min-w-0">
      <dt className="text-xs text-ink-3">{name}</dt>
      <dd className="text-lg font-medium">
        {children}
        {note && <span className="ml-1.5 text-xs font-normal text-ink-3">{note}</span>}
      </dd>
    </div>
  )
}

/** The same frame as a table's, around something else. */
export const Frame = ({ children, className }: { children: ReactNode; className?: string }) => (
  <div className={cx('rounded-lg border border-line bg-surface', className)}>{children}</div>
)
