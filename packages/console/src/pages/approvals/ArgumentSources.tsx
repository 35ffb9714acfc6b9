import type { Approval, ArgumentSource, Json } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useEffect, useRef, useState } from 'react'
import { approvalQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Labels } from '../runs/Labels.tsx'

/** What the server cuts texts to. */
const sourceTextMax = 200

/** Where each argument was first said, with a way to the step, and whose words from outside it is. Asked for once it is on the screen. */
export function ArgumentSources({ approval }: { approval: Approval }) {
  const { t } = useTexts()
  const [box, isSeen] = useSeen()
  const found = useQuery({ ...approvalQuery(approval.id), enabled: isSeen })
  if (found.data?.sources.length === 0) return null
  return (
    <section ref={box} aria-label={t('approvals.sources')} className="mt-3 text-sm">
      <h3 className="mb-1 text-xs text-ink-3">{t('approvals.sources')}</h3>
      {found.isError && <RequestError error={found.error} />}
      {found.isPending && <Skeleton className="h-10" />}
      {found.data && (
        <>
          <ul className="space-y-1.5">
            {found.data.sources.map((source) => (
              <SourceLine key={`${source.path.join('.')} ${source.text}`} source={source} approval={approval} hasRead={found.data.labels.length > 0} />
            ))}
          </ul>
          {found.data.isCut && <p className="mt-1.5 text-ink-2">{t('approvals.sourcesCut')}</p>}
        </>
      )}
    </section>
  )
}

/** The argument itself stands above; of its text a part is written out. */
function SourceLine({ source, approval, hasRead }: { source: ArgumentSource; approval: Approval; hasRead: boolean }) {
  const { t } = useTexts()
  const { path, text, kind, name, runId, op, labels } = source
  const isElsewhere = runId !== null && runId !== approval.runId
  const from = t(`approvals.from.${kind}`, { name: name ?? '' })
  return (
    <li className="flex flex-wrap items-baseline gap-x-2 gap-y-0.5">
      <span className="min-w-24 text-ink-2">{(path[0] === 'input' ? path.slice(1) : path).join('.')}</span>
      {(text !== wholeOf(approval.detail, path) || isListed(path)) && (
        <span className="max-w-full truncate font-medium sm:max-w-80" title={text}>
          {text}
        </span>
      )}
      <span className="text-ink-2">
        {runId !== null && (op !== null || isElsewhere) ? (
          <AppLink href={paths.run(runId, op === null ? {} : { step: op })} className="rounded-sm text-accent hover:underline">
            {from}
          </AppLink>
        ) : (
          from
        )}
        {isElsewhere && ` ${t('approvals.earlierRun')}`}
        {kind === 'agent' && hasRead && ` ${t('approvals.afterReading')}`}
      </span>
      {labels.length > 0 && <Labels labels={labels} />}
    </li>
  )
}

/** A position says little. */
const isListed = (path: readonly string[]): boolean => /^\d+$/.test(path.at(-1) ?? '')

/** The argument as it is sought. */
function wholeOf(detail: Json, path: readonly string[]): string {
  const value = path.reduce<Json | undefined>((at, name) => (typeof at === 'object' && at !== null ? (at as Record<string, Json>)[name] : undefined), detail) // Lists by their positions, too.
  return String(value).trim().slice(0, sourceTextMax)
}

/** Whether the element has been on the screen. */
function useSeen() {
  const box = useRef<HTMLElement>(null)
  const [isSeen, setSeen] = useState(false)
  useEffect(() => {
    if (isSeen || !box.current) return
    const watcher = new IntersectionObserver((entries) => entries.some(({ isIntersecting }) => isIntersecting) && setSeen(true))
    watcher.observe(box.current)
    return () => watcher.disconnect()
  }, [isSeen])
  return [box, isSeen] as const
}
