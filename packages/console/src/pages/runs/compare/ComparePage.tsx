import type { compareRuns } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { ArrowLeftRight } from 'lucide-react'
import type { ReactNode } from 'react'
import type { z } from 'zod'
import { compareQuery, runQuery } from '../../../api/queries.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { buttonClass } from '../../../ui/Button.tsx'
import { formatCount, formatUsd } from '../../../ui/format.ts'
import { Skeleton } from '../../../ui/Notes.tsx'
import { Section } from '../../../ui/Page.tsx'
import { StateBadge } from '../../../ui/State.tsx'
import { AppLink } from '../../AppLink.tsx'
import { DiffView } from '../../DiffView.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { PageHead } from '../../PageHead.tsx'
import { questionOf, runTones } from '../run-facts.ts'
import { asLines } from './as-lines.ts'
import { StepsTable } from './StepsTable.tsx'

export type Comparison = z.infer<typeof compareRuns.output>

/** Two runs against each other: what they came to, what it cost, and each step in which they parted. */
export function ComparePage() {
  const { t } = useTexts()
  const { runId, other } = useParams({ from: '/shell/runs/$runId/compare/$other' })
  const comparison = useQuery(compareQuery(runId, other))
  return (
    <div className="space-y-8">
      <PageHead
        title={t('compare.title')}
        lead={comparison.data && sumUp(comparison.data, t)}
        actions={
          <AppLink href={paths.compare(other, runId)} className={buttonClass('secondary')}>
            <ArrowLeftRight size={14} aria-hidden />
            {t('compare.swap')}
          </AppLink>
        }
      />
      {comparison.isPending && <Skeleton className="h-80" />}
      {comparison.isError && !comparison.data && <RequestError error={comparison.error} />}
      {comparison.data && (
        <>
          <Sides comparison={comparison.data} />
          <Answers comparison={comparison.data} />
          <Section id="steps" title={t('compare.steps')}>
            <StepsTable comparison={comparison.data} />
          </Section>
        </>
      )}
    </div>
  )
}

function sumUp({ prefixCount, sameCount, differentCount }: Comparison, t: ReturnType<typeof useTexts>['t']): string {
  const steps = t('compare.sum', { different: differentCount, same: sameCount })
  return prefixCount > 0 ? `${t('compare.prefix', { count: prefixCount })} ${steps}` : steps
}

type Side = Comparison['a']

function Sides({ comparison }: { comparison: Comparison }) {
  const { t, locale } = useTexts()
  const { a, b } = comparison
  const tokens = ({ usage }: Side) =>
    usage.input + usage.output === 0 ? '–' : t('run.tokensValue', { input: formatCount(usage.input, locale), output: formatCount(usage.output, locale) })
  const cost = ({ usage }: Side) => (usage.input + usage.output === 0 ? '–' : usage.costUsd === null ? t('common.unpriced') : formatUsd(usage.costUsd, locale))
  const rows: { id: string; name: string; of: (side: Side) => ReactNode }[] = [
    { id: 'state', name: t('runs.state'), of: ({ state }) => <StateBadge tone={runTones[state]}>{t(`state.${state}`)}</StateBadge> },
    { id: 'version', name: t('agents.version'), of: ({ runId }) => <VersionOf runId={runId} /> },
    { id: 'tokens', name: t('run.tokens'), of: tokens },
    { id: 'cost', name: t('run.cost'), of: cost },
    { id: 'withheld', name: t('compare.withheld'), of: ({ withheldCount }) => (withheldCount === 0 ? '–' : withheldCount) },
  ]
  return (
    <div className="overflow-x-auto rounded-lg border border-line bg-surface" tabIndex={0} role="group" aria-label={t('compare.sides')}>
      <table className="w-full table-fixed border-collapse text-sm">
        <thead className="border-b border-line bg-sunken">
          <tr>
            <td className="w-24 sm:w-36" />
            <SideHead side={a} letter="A" />
            <SideHead side={b} letter="B" />
          </tr>
        </thead>
        <tbody className="divide-y divide-line">
          {rows.map(({ id, name, of }) => (
            <tr key={id}>
              <th scope="row" className="px-3 py-2 text-left text-xs font-medium text-ink-3">
                {name}
              </th>
              <td className="h-9 px-3 py-1">{of(a)}</td>
              <td className="h-9 px-3 py-1">{of(b)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function SideHead({ side, letter }: { side: Side; letter: string }) {
  const { t } = useTexts()
  const run = useQuery(runQuery(side.runId))
  return (
    <th scope="col" className="px-3 py-2 text-left font-medium">
      <AppLink href={paths.run(side.runId)} className="line-clamp-2 rounded-sm hover:underline">
        <span className="mr-2 text-ink-3">{letter}</span>
        {run.data ? questionOf(run.data.input) || t('runs.noInput') : side.runId.slice(-12)}
      </AppLink>
      <span className="block text-xs font-normal text-ink-3">
        {run.data?.fork ? t(run.data.fork.op === null ? 'fork.ofBeginning' : 'fork.ofStep', { op: run.data.fork.op ?? '' }) : run.data?.agent}
      </span>
    </th>
  )
}

function VersionOf({ runId }: { runId: string }) {
  const { data } = useQuery(runQuery(runId))
  return <code className="block truncate text-xs">{data?.version}</code>
}

function Answers({ comparison: { a, b } }: { comparison: Comparison }) {
  const { t } = useTexts()
  const [before, after] = [a, b].map(({ output, failure }) => (failure ? failure.message : asLines(output)))
  return (
    <Section id="answers" title={t('answer.title')}>
      {before === after ? (
        <p className="border-y border-line py-3 text-sm text-ink-2">{t('compare.sameAnswer')}</p>
      ) : (
        <DiffView before={before ?? ''} after={after ?? ''} label={t('answer.title')} />
      )}
    </Section>
  )
}
