import { cx } from './cx.ts'

/** How much of a limit is used, and how much of the rest is spoken for. `text` says it for those who do not see it. */
export function Meter({ used, reserved = 0, limit, text }: { used: number; reserved?: number; limit: number; text: string }) {
  const share = (value: number) => (limit > 0 ? Math.min(100, (value / limit) * 100) : 100)
  const taken = share(used)
  const ink = taken >= 100 ? 'bg-bad' : taken >= 80 ? 'bg-warn' : 'bg-ink-3'
  return (
    <div role="img" aria-label={text} className="flex h-1.5 w-full overflow-hidden rounded-sm bg-ink/8">
      <div className={cx('h-full', ink)} style={{ width: `${taken}%` }} />
      <div className={cx('hatched h-full opacity-60', ink)} style={{ width: `${Math.min(100 - taken, share(reserved))}%` }} />
    </div>
  )
}
