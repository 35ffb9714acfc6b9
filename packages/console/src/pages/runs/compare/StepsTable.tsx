import { useState } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { cx } from '../../../ui/cx.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { coversRow } from '../../../ui/Table.tsx'
import { AppLink } from '../../AppLink.tsx'
import { DiffView } from '../../DiffView.tsx'
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
        {side.outcome === 'completed' || side.outcome === 'failed' || side.outcome === 'withheld' ? t(`compare.outcomes.${side.outcome}`) : t('compare.outcomes.open')}
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
        detailOf={(step) =>
          idOf(step) === open && (
            <div className="space-y-3">
              <Pair title={t('detail.input')} before={asLines(step.a?.input ?? null)} after={asLines(step.b?.input ?? null)} />
              <Pair title={t('detail.output')} before={asLines(step.a?.value ?? null)} after={asLines(step.b?.value ?? null)} />
              <p className="flex gap-4 text-sm">
                {step.a && (
                  <AppLink href={paths.run(a.runId, { step: step.op })} className="rounded-sm text-accent hover:underline">
                    {t('compare.stepIn', { side: 'A' })}
                  </AppLink>
                )}
                {step.b && (
                  <AppLink href={paths.run(b.runId, { step: step.op })} className="rounded-sm text-accent hover:underline">
                    {t('compare.stepIn', { side: 'B' })}
                  </AppLink>
                )}
              </p>
            </div>
          )
        }
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
              <button
                type="button"
                aria-expanded={idOf(step) === open}
                onClick={() => setOpen(idOf(step) === open ? undefined : idOf(step))}
                className={cx(coversRow, 'flex max-w-full items-center gap-2 font-medium')}
              >
                <KindIcon subject={{ type: 'step', kind: step.kind }} size={14} />
                <span className="truncate">{step.kind === 'tool' || step.kind === 'step' || step.kind === 'call' ? step.name : t(`entry.${step.kind}`)}</span>
              </button>
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

function Pair({ title, before, after }: { title: string; before: string; after: string }) {
  const { t } = useTexts()
  return (
    <div className="space-y-1">
      <h3 className="text-xs text-ink-3">{title}</h3>
      {before === after ? <p className="text-sm text-ink-2">{t('compare.samePart')}</p> : <DiffView before={before} after={after} label={title} />}
    </div>
  )
}
