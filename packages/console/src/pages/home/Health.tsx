import { useQuery } from '@tanstack/react-query'
import { attentionQuery } from '../../api/attention.ts'
import { budgetsQuery } from '../../api/money.ts'
import { stopsQuery } from '../../api/overview.ts'
import { useMay } from '../../api/permissions.ts'
import { agentsQuery, systemQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { StateIcon } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'

/** What somebody has to see to, failed runs among it, each with the way to where it is mended; or that there is nothing. */
export function Health() {
  const { t } = useTexts()
  const may = useMay()
  const agents = useQuery({ ...agentsQuery(), enabled: may('agents:read') === true })
  const stops = useQuery(stopsQuery())
  const budgets = useQuery({ ...budgetsQuery(), enabled: may('money:read') === true })
  const attention = useQuery(attentionQuery({}))
  const { data: system } = useQuery(systemQuery())
  if (!stops.data || !attention.data || !system) return null
  const needing = attention.data.items.length
  const broken = agents.data?.items.filter(({ status }) => status === 'broken') ?? []
  const usedUp = budgets.data?.items.filter(({ fullest }) => fullest && fullest.left <= 0) ?? []
  const findings: { tone: Tone; text: string; href: string }[] = [
    ...(needing > 0
      ? [
          {
            tone: 'bad' as const,
            text: t(attention.data.next === null ? 'attention.count' : 'overview.attentionMore', { count: needing }),
            href: paths.attention(),
          },
        ]
      : []),
    ...broken.map(({ name }) => ({ tone: 'bad' as const, text: t('home.brokenTitle', { agent: name }), href: paths.agent(name) })),
    ...usedUp.map(({ name }) => ({ tone: 'bad' as const, text: t('overview.usedUp', { budget: name }), href: paths.budgets() })),
    ...(stops.data.items.length > 0 ? [{ tone: 'warn' as const, text: t('overview.stops', { count: stops.data.items.length }), href: paths.agents() }] : []),
    ...(system.sandbox.missing.length > 0
      ? [{ tone: 'warn' as const, text: t('overview.sandbox', { count: system.sandbox.missing.length }), href: paths.system() }]
      : []),
  ]
  if (findings.length === 0)
    return (
      <p className="flex items-center gap-1.5 text-sm text-ink-2">
        <StateIcon tone="good" />
        {t('overview.well')}
      </p>
    )
  return (
    <ul className="flex flex-wrap gap-x-4 gap-y-1">
      {findings.map(({ tone, text, href }) => (
        <li key={text}>
          <AppLink href={href} className="flex items-center gap-1.5 rounded-sm text-sm hover:underline">
            <StateIcon tone={tone} />
            {text}
          </AppLink>
        </li>
      ))}
    </ul>
  )
}
