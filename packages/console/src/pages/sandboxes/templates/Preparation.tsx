import type { Template } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useLayoutEffect, useRef } from 'react'
import { templateQuery } from '../../../api/templates.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Skeleton } from '../../../ui/Notes.tsx'
import { plainOutput } from '../../../ui/plain-output.ts'
import { RequestError } from '../../ErrorPages.tsx'

/** How a template was prepared, or is being: the step that is under way, or why one failed, and what the steps wrote. */
export function Preparation({ template }: { template: Template }) {
  const { t } = useTexts()
  const { data, error } = useQuery(templateQuery(template.id))
  const { step, problem, state, image } = data ?? template
  return (
    <div className="space-y-3 text-sm">
      {step !== null && state === 'preparing' && (
        <p>
          <span className="text-ink-3">{t('templates.step')} </span>
          <code className="break-words">{step}</code>
        </p>
      )}
      {image !== null && (
        <p>
          <span className="text-ink-3">{t('sandboxes.image')} </span>
          <code className="break-all">{image}</code>
        </p>
      )}
      {problem !== null && <p className="break-words text-bad">{problem}</p>}
      {error && !data ? <RequestError error={error} /> : data ? <Log text={data.log} isCut={data.isLogCut} /> : <Skeleton className="h-24" />}
    </div>
  )
}

/** Its end is in sight, until the reader goes up. */
function Log({ text, isCut }: { text: string; isCut: boolean }) {
  const { t } = useTexts()
  const box = useRef<HTMLPreElement>(null)
  const isAtEnd = useRef(true)
  useLayoutEffect(() => {
    if (box.current && isAtEnd.current) box.current.scrollTop = box.current.scrollHeight
  }, [text])
  if (text === '') return <p className="text-ink-3">{t('templates.noLog')}</p>
  return (
    <pre
      ref={box}
      role="log"
      aria-label={t('templates.log')}
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => void (isAtEnd.current = scrollHeight - scrollTop - clientHeight < 24)}
      className="max-h-72 overflow-auto rounded-md border border-line bg-surface p-3 text-xs break-words whitespace-pre-wrap"
    >
      {isCut && (
        <span className="text-ink-3">
          {t('sandboxes.cut')}
          {'\n'}
        </span>
      )}
      {plainOutput(text)}
    </pre>
  )
}
