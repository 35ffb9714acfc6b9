import type { RouteTaken } from '@longhaul/protocol'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { formatDuration, formatNumber } from '../../../ui/format.ts'
import { AppLink } from '../../AppLink.tsx'
import { Facts } from './parts.tsx'

/** By which route a model call went and why; and who was asked in vain, with what it said and how long that took. */
export function RouteView({ route }: { route: RouteTaken }) {
  const { t, locale } = useTexts()
  const { name, why, model, difficulty, chance, tries } = route
  const facts: [string, React.ReactNode][] = []
  if (name !== null)
    facts.push([
      t('detail.route.name'),
      <AppLink href={paths.models()} className="rounded-sm text-accent hover:underline">
        {name}
      </AppLink>,
    ])
  facts.push([t('detail.route.target'), model ?? t('detail.route.nobody')])
  if (difficulty !== undefined) facts.push([t('detail.route.difficulty'), formatNumber(difficulty, locale, 2)])
  if (chance !== undefined) facts.push([t('detail.route.chance'), `${formatNumber(chance * 100, locale, 0)} %`])
  return (
    <section className="space-y-2">
      <h4 className="text-sm font-semibold">{t('detail.route.title')}</h4>
      <Facts facts={facts} />
      {why !== null && (
        <p className="text-sm break-words">
          <span className="text-ink-3">{t('detail.route.why')} </span>
          {why}
        </p>
      )}
      {tries.length > 0 && (
        <ol aria-label={t('detail.route.tries')} className="divide-y divide-line rounded-md border border-line text-sm">
          {tries.map((one, at) => (
            <li key={at} className="space-y-1 px-3 py-2">
              <p className="flex flex-wrap justify-between gap-x-4">
                <span className="font-medium">{one.model}</span>
                <span className="text-ink-3">{t('detail.route.failedAfter', { duration: formatDuration(one.durationMs, locale) })}</span>
              </p>
              <p className="break-words whitespace-pre-wrap text-bad">{one.message}</p>
              {one.code !== undefined && <p className="font-mono text-xs text-ink-3">{one.code}</p>}
            </li>
          ))}
        </ol>
      )}
    </section>
  )
}
