import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { ChevronRight, CornerLeftUp } from 'lucide-react'
import { useState } from 'react'
import { childrenQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Elapsed } from '../Moment.tsx'
import { questionOf, runTones } from './run-facts.ts'

/** The run that started this one, and those that it started, as deep as they go. Absent where there are none. */
export function Family({ run }: { run: Run }) {
  const { t } = useTexts()
  const children = useQuery(childrenQuery(run.id))
  const count = children.data?.items.length ?? 0
  if (count === 0 && run.parent === null && run.continuedAs === null) return null
  return (
    <Section id="family" title={t('run.family')}>
      <div className="space-y-2 text-sm">
        {run.parent && (
          <AppLink
            href={paths.run(run.parent.runId, { step: run.parent.op })}
            className="inline-flex items-center gap-1.5 rounded-sm text-accent hover:underline"
          >
            <CornerLeftUp size={14} aria-hidden />
            {t('run.parent')}
          </AppLink>
        )}
        {run.continuedAs && (
          <AppLink href={paths.run(run.continuedAs)} className="block rounded-sm text-accent hover:underline">
            {t('run.continued')}
          </AppLink>
        )}
        {children.isError && <RequestError error={children.error} />}
        {count > 0 && (
          <ul className="divide-y divide-line border-y border-line">
            {children.data?.items.toReversed().map((child) => (
              <Branch key={child.id} run={child} depth={0} />
            ))}
          </ul>
        )}
        {children.data?.next && <p className="text-xs text-ink-3">{t('run.moreChildren', { count })}</p>}
      </div>
    </Section>
  )
}

const depthMax = 8

function Branch({ run, depth }: { run: Run; depth: number }) {
  const { t } = useTexts()
  const [isOpen, setOpen] = useState(false)
  const children = useQuery({ ...childrenQuery(run.id), enabled: isOpen })
  return (
    <li>
      <div className="flex h-9 items-center gap-1.5 pr-1.5 hover:bg-hover" style={{ paddingLeft: `${depth * 1.25}rem` }}>
        {depth < depthMax ? (
          <Button
            size="sm"
            look="quiet"
            aria-expanded={isOpen}
            aria-label={t(isOpen ? 'timeline.collapse' : 'timeline.expand')}
            onClick={() => setOpen(!isOpen)}
            className="px-1"
          >
            <ChevronRight size={14} aria-hidden className={cx('transition-transform', isOpen && 'rotate-90')} />
          </Button>
        ) : (
          <span className="w-6" />
        )}
        <StateIcon tone={runTones[run.state]} />
        <span className="sr-only">{t(`state.${run.state}`)}</span>
        <AppLink href={paths.run(run.id)} className="min-w-0 flex-1 truncate rounded-sm hover:underline">
          {questionOf(run.input) || t('runs.noInput')}
        </AppLink>
        <span className="hidden max-w-32 truncate text-xs text-ink-3 sm:inline">{run.agent}</span>
        <span className="w-20 text-right text-xs text-ink-3">
          <Elapsed from={Date.parse(run.startedAt ?? run.createdAt)} to={run.endedAt === null ? null : Date.parse(run.endedAt)} />
        </span>
      </div>
      {isOpen && children.data?.items.length === 0 && (
        <p className="py-1.5 text-xs text-ink-3" style={{ paddingLeft: `${(depth + 1) * 1.25 + 1}rem` }}>
          {t('run.noChildren')}
        </p>
      )}
      {isOpen && children.data && children.data.items.length > 0 && (
        <ul className="divide-y divide-line border-t border-line">
          {children.data.items.toReversed().map((child) => (
            <Branch key={child.id} run={child} depth={depth + 1} />
          ))}
        </ul>
      )}
    </li>
  )
}
