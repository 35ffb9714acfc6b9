import { Ban, Check, CircleDashed, CirclePause, LoaderCircle, RotateCcw, TriangleAlert, X } from 'lucide-react'
import type { LucideIcon } from 'lucide-react'
import { cx } from './cx.ts'

/** How something stands. The shape says it as well as the colour. */
export type Tone = 'idle' | 'active' | 'waiting' | 'retrying' | 'good' | 'usual' | 'bad' | 'warn' | 'off'

const looks: Record<Tone, { icon: LucideIcon; ink: string; ground: string; moves?: boolean }> = {
  idle: { icon: CircleDashed, ink: 'text-ink-3', ground: 'bg-sunken text-ink-2' },
  active: { icon: LoaderCircle, ink: 'text-accent', ground: 'bg-accent-soft text-accent', moves: true },
  waiting: { icon: CirclePause, ink: 'text-warn', ground: 'bg-warn-soft text-warn' },
  retrying: { icon: RotateCcw, ink: 'text-warn', ground: 'bg-warn-soft text-warn' },
  good: { icon: Check, ink: 'text-good', ground: 'bg-good-soft text-good' },
  /** As it should be: nothing to notice. */
  usual: { icon: Check, ink: 'text-ink-3', ground: 'bg-sunken text-ink-2' },
  bad: { icon: X, ink: 'text-bad', ground: 'bg-bad-soft text-bad' },
  warn: { icon: TriangleAlert, ink: 'text-warn', ground: 'bg-warn-soft text-warn' },
  off: { icon: Ban, ink: 'text-ink-3', ground: 'bg-sunken text-ink-2' },
}

export function StateIcon({ tone, size = 14, className }: { tone: Tone; size?: number; className?: string }) {
  const { icon: Icon, ink, moves } = looks[tone]
  return <Icon size={size} strokeWidth={2} aria-hidden className={cx('shrink-0', ink, moves && 'animate-spin [animation-duration:1.6s]', className)} />
}

export function StateBadge({ tone, children }: { tone: Tone; children: string }) {
  const { icon: Icon, ground, moves } = looks[tone]
  return (
    <span className={cx('inline-flex h-6 shrink-0 items-center gap-1.5 rounded-md px-2 text-xs font-medium whitespace-nowrap', ground)}>
      <Icon size={13} strokeWidth={2.2} aria-hidden className={cx(moves && 'animate-spin [animation-duration:1.6s]')} />
      {children}
    </span>
  )
}

/** A quiet label. */
export function Tag({ tone = 'plain', children, title }: { tone?: 'plain' | 'warn' | 'accent'; children: string; title?: string }) {
  const ground = {
    plain: 'border-line text-ink-2',
    warn: 'border-transparent bg-warn-soft text-warn',
    accent: 'border-transparent bg-accent-soft text-accent',
  }[tone]
  return (
    <span title={title} className={cx('inline-flex h-5 shrink-0 items-center rounded-sm border px-1.5 text-xs whitespace-nowrap', ground)}>
      {children}
    </span>
  )
}
