import type { Calendar } from '@longhaul/protocol'
import type { Translate } from '../../i18n/index.ts'
import { formatDuration, formatInstant } from '../../ui/format.ts'

export function calendarInWords(calendar: Calendar, t: Translate, locale: string): string {
  switch (calendar.kind) {
    case 'cron':
      return `${calendar.cron} · ${calendar.timeZone}`
    case 'interval':
      return t('schedules.every', { duration: formatDuration(calendar.everyMs, locale) })
    case 'once':
      return t('schedules.once', { at: formatInstant(Date.parse(calendar.at), locale) })
  }
}
