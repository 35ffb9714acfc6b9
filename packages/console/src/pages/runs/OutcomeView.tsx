import type { Failure, Run } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import { useTexts } from '../../i18n/index.ts'
import type { Timeline } from '../../timeline/index.ts'
import { Code, CodeBlock } from '../../ui/Code.tsx'
import { cx } from '../../ui/cx.ts'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { ErrorNote, Note } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import { JsonView } from '../JsonView.tsx'
import { AfterFailure } from './AfterFailure.tsx'
import { SafeMarkdown } from './AnswerView.tsx'

/** What became of a run whose output is no agent's answer: a function's return value, a failure, a cancellation. */
export function OutcomeView({ run, timeline }: { run: Run; timeline: Timeline }) {
  const { t } = useTexts()
  if (run.state === 'failed') return run.failure ? <FailureView failure={run.failure} title={t('answer.failure')} action={<AfterFailure run={run} />} /> : null
  if (run.state === 'cancelled') {
    const mark = [...timeline.entries.values()].findLast(({ subject }) => subject.type === 'mark' && subject.event === 'run.cancelled')
    return (
      <Note title={[t('answer.cancelled'), mark?.name && t('answer.cancelledBy', { name: mark.name })].filter(Boolean).join(' ')}>
        {typeof mark?.output === 'string' && <p className="text-ink-2">{mark.output}</p>}
      </Note>
    )
  }
  if (run.output === null) return <Note title={t('answer.nothing')} />
  if (typeof run.output === 'string')
    return (
      <div className="prose max-w-[75ch] text-lg">
        <SafeMarkdown text={run.output} />
      </div>
    )
  return (
    <CodeBlock
      title={t('answer.result')}
      actions={<CopyButton getText={() => JSON.stringify(run.output, null, 2)} words={{ label: t('common.copy'), done: t('common.copied') }} />}
    >
      <JsonView value={run.output} />
    </CodeBlock>
  )
}

export function FailureView({ failure, title, action }: { failure: Failure; title: string; action?: ReactNode }) {
  const { t } = useTexts()
  return (
    <div className="space-y-3">
      <ErrorNote
        title={title}
        action={action}
        cause={<span className={cx('break-words whitespace-pre-wrap', failure.message.includes('\n') && 'font-mono text-xs')}>{failure.message}</span>}
        remedy={
          <span className="flex flex-wrap items-center gap-2 pt-1">
            {failure.code && <Tag>{failure.code}</Tag>}
            <span className="text-sm">{t(failure.retryable ? 'answer.retryable' : 'answer.final')}</span>
          </span>
        }
      />
      {failure.stack && (
        <CodeBlock
          title={t('answer.stack')}
          actions={<CopyButton getText={() => failure.stack ?? ''} words={{ label: t('common.copy'), done: t('common.copied') }} />}
        >
          <Code text={failure.stack} wraps={false} words={{ more: (chars) => t('common.more', { chars }) }} />
        </CodeBlock>
      )}
    </div>
  )
}
