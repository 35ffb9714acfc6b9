import { serverNow } from '../api/connection.ts'
import { useTexts } from '../i18n/index.ts'
import { formatDuration, formatInstant, formatRelative } from '../ui/format.ts'
import { useNow } from '../ui/use-now.ts'

/** An instant as "3 min. ago"; pointing at it tells the exact one. */
export function Ago({ at }: { at: string }) {
  const { locale } = useTexts()
  const now = useNow(serverNow, 10_000)
  const instant = Date.parse(at)
  return (
    <time dateTime={at} title={formatInstant(instant, locale)}>
      {formatRelative(instant, now, locale)}
    </time>
  )
}

/** A duration that counts while it lasts. */
export function Elapsed({ from, to }: { from: number; to: number | null }) {
  const { locale } = useTexts()
  // Tenths of a second are for what is over soon.
  const now = useNow(serverNow, serverNow() - from < 60_000 ? 100 : 1_000, to === null)
  return <>{formatDuration((to ?? now) - from, locale)}</>
}
