import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { stepQuery } from '../../../api/queries.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { cx } from '../../../ui/cx.ts'
import { EmptyState, Skeleton } from '../../../ui/Notes.tsx'
import { RowToggle } from '../../../ui/Table.tsx'
import { AppLink } from '../../AppLink.tsx'
import { DiffView } from '../../DiffView.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { Listing } from '../../Listing.tsx'
import { KindIcon } from '../KindIcon.tsx'
import { asLines } from './as-lines.ts'
import type { Comparison } from './ComparePage.tsx'

type Step = Comparison['different'][number]

/** Each place where the runs parted; opened, what went in and what came out on both sides. */
export function StepsTable({ comparison }: { comparison: Comparison }) {
  const { t } = useTexts()
  const { different, differentCount, a, b } = comparison
  const [open, setOpen] = useState<string>()
  const idOf = ({ op, kind, name }: Step) => `${op} ${kind} ${name}`
  const outcome = (side: Step['a']) =>
    side === null ? (
      <span className="text-ink-3">{t('compare.absent')}</span>
    ) : (
      <span className={cx(side.outcome === 'failed' && 'text-bad', side.outcome === 'withheld' && 'text-warn')}>
        {side.outcome === 'completed' || side.outcome === 'failed' || side.outcome === 'withheld'
          ? t(`compare.outcomes.${side.outcome}`)
          : t('compare.outcomes.open')}
      </span>
    )
  return (
    <>
      <Listing<Step>
        label={t('compare.steps')}
        query={{ isError: false, error: null, data: different, refetch: () => undefined }}
        rows={different}
        idOf={idOf}
        empty={<EmptyState title={t('compare.noSteps')}>{t('compare.noStepsText')}</EmptyState>}
        detailOf={(step) => idOf(step) === open && <StepDetail step={step} a={a.runId} b={b.runId} />}
        columns={[
          {
            id: 'op',
            head: t('journal.place'),
            className: 'w-16',
            cell: ({ op }) => <code className="text-xs text-ink-3">{op}</code>,
          },
          {
            id: 'name',
            head: t('compare.what'),
            cell: (step) => (
              <RowToggle id={idOf(step)} open={open} onOpen={setOpen} className="flex max-w-full items-center gap-2 font-medium">
                <KindIcon subject={{ type: 'step', kind: step.kind }} size={14} />
                {step.kind === 'tool' || step.kind === 'step' || step.kind === 'call' ? (
                  <span className="truncate">{step.name}</span>
                ) : (
                  <>
                    <span className="shrink-0">{t(`entry.${step.kind}`)}</span>
                    {step.kind !== 'model' && <span className="min-w-0 truncate font-mono text-xs font-normal text-ink-3 max-sm:hidden">{step.name}</span>}
                  </>
                )}
              </RowToggle>
            ),
          },
          { id: 'a', head: 'A', className: 'w-24 sm:w-40', cell: (step) => outcome(step.a) },
          { id: 'b', head: 'B', className: 'w-24 sm:w-40', cell: (step) => outcome(step.b) },
        ]}
      />
      {differentCount > different.length && <p className="mt-2 text-xs text-ink-3">{t('compare.cut', { count: different.length })}</p>}
    </>
  )
}

/** The step in full on both sides: what is in the list is cut where it is long. */
function StepDetail({ step, a, b }: { step: Step; a: string; b: string }) {
  const { t } = useTexts()
  const left = useQuery({ ...stepQuery(a, step.op, 0), enabled: step.a !== null })
  const right = useQuery({ ...stepQuery(b, step.op, 0), enabled: step.b !== null })
  const error = left.error ?? right.error
  if (error) return <RequestError error={error} />
  if ((step.a && !left.data) || (step.b && !right.data)) return <Skeleton className="h-40" />
  const output = (side: typeof left.data) => (side?.failure ? side.failure.message : withoutUsage(side?.output))
  return (
    <div className="space-y-3">
      <Pair title={t('detail.input')} before={asLines(left.data?.input)} after={asLines(right.data?.input)} />
      <Pair title={t('detail.output')} before={asLines(output(left.data))} after={asLines(output(right.data))} />
      <p className="flex gap-4 text-sm">
        {step.a && (
          <AppLink href={paths.run(a, { step: step.op })} className="rounded-sm text-accent hover:underline">
            {t('compare.stepIn', { side: 'A' })}
          </AppLink>
        )}
        {step.b && (
          <AppLink href={paths.run(b, { step: step.op })} className="rounded-sm text-accent hover:underline">
            {t('compare.stepIn', { side: 'B' })}
          </AppLink>
        )}
      </p>
    </div>
  )
}

/** What two equal answers of a model cost may differ; the sums say it. */
function withoutUsage(output: unknown): unknown {
  if (typeof output !== 'object' || output === null || !('usage' in output)) return output
  const { usage: _, ...rest } = output
  return rest
}

function Pair({ title, before, after }: { title: string; before: string; after: string }) {
  const { t } = useTexts()
  return (
    <div className="space-y-1">
      <h3 className="text-xs text-ink-3">{title}</h3>
      {before === after ? <p className="text-sm text-ink-2">{t('compare.samePart')}</p> : <DiffView before={before} after={after} label={title} />}
    </div>
  )
}
