import { CircleAlert, Inbox, TriangleAlert } from 'lucide-react'
import type { ReactNode } from 'react'
import { cx } from './cx.ts'

/** Something went wrong: what, why as far as known, and what to do. */
export function ErrorNote({
  title,
  cause,
  remedy,
  action,
  fine,
}: {
  title: string
  cause: ReactNode
  remedy?: ReactNode
  action?: ReactNode
  fine?: string | undefined
}) {
  return (
    <div role="alert" className="flex gap-3 rounded-lg border border-bad/25 bg-bad-soft p-4">
      <CircleAlert size={18} aria-hidden className="mt-0.5 shrink-0 text-bad" />
      <div className="min-w-0 space-y-1">
        <p className="font-semibold text-bad">{title}</p>
        <p className="break-words text-ink">{cause}</p>
        {remedy && <p className="text-ink-2">{remedy}</p>}
        {fine && <p className="font-mono text-xs text-ink-2">{fine}</p>}
        {action && <div className="pt-2">{action}</div>}
      </div>
    </div>
  )
}

/** Something to know or decide. */
export function Note({ tone = 'plain', title, children, action }: { tone?: 'plain' | 'warn'; title: ReactNode; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className={cx('rounded-lg border p-4', tone === 'warn' ? 'border-warn/25 bg-warn-soft' : 'border-line bg-surface')}>
      <div className="flex gap-3">
        {tone === 'warn' && <TriangleAlert size={18} aria-hidden className="mt-0.5 shrink-0 text-warn" />}
        <div className="min-w-0 flex-1 space-y-2">
          <p className={cx('font-semibold', tone === 'warn' && 'text-warn')}>{title}</p>
          {children}
          {action && <div className="flex flex-wrap gap-2 pt-1">{action}</div>}
        </div>
      </div>
    </div>
  )
}

/** Nothing here yet, and what would bring something here. */
export function EmptyState({ title, children, action }: { title: string; children?: ReactNode; action?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 px-6 py-8 text-center md:py-12">
      <Inbox size={22} strokeWidth={1.5} aria-hidden className="text-ink-3" />
      <p className="font-medium">{title}</p>
      {children && <p className="max-w-md text-sm text-ink-2">{children}</p>}
      {action && <div className="pt-2">{action}</div>}
    </div>
  )
}

/** Holds the place of what is being loaded, so that nothing moves when it comes. */
export function Skeleton({ className }: { className: string }) {
  return <div aria-hidden className={cx('animate-pulse-slow rounded-sm bg-ink/8', className)} />
}
