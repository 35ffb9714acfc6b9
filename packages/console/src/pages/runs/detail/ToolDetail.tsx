import { ToolResult } from '@longhaul/protocol'
import type { Json } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import type { Entry, Timeline } from '../../../timeline/index.ts'
import { Code, CodeBlock } from '../../../ui/Code.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { formatDuration } from '../../../ui/format.ts'
import { groupFiles } from '../answer-files.ts'
import { RuleLine } from '../../approvals/RuleView.tsx'
import { AnswerPicture } from '../AnswerFiles.tsx'
import { AnswerTable } from '../AnswerTable.tsx'
import { entryTones, wordsOf } from '../entry-facts.ts'
import { FailureView } from '../OutcomeView.tsx'
import { StateIcon } from '../../../ui/State.tsx'
import { Facts, Value } from './parts.tsx'
import { PolicyView } from './PolicyView.tsx'
import type { Step } from './parts.tsx'

type Props = { step: Step; entry: Entry; timeline: Timeline; facts: readonly [string, ReactNode][]; onChoose: (key: string) => void }

/** A tool call, a step of durable code, a file operation: input, output, what it did inside. */
export function ToolDetail({ step, entry, timeline, facts, onChoose }: Props) {
  const { t } = useTexts()
  const result = resultOf(step.output)
  const { pictures } = groupFiles(result.parts.filter((part) => part.type === 'file'))
  return (
    <>
      <Facts facts={step.policy ? [...facts, [t('detail.policy'), <PolicyView policy={step.policy} />]] : facts} />
      {step.policy?.rule && <RuleLine rule={step.policy.rule} />}
      {step.failure && <FailureView failure={step.failure} title={t('detail.error')} />}
      <Input value={step.input} />
      {step.output === null && !step.failure && entry.state === 'running' && <p className="text-sm text-ink-3">{t('detail.notYet')}</p>}
      {result.parts.length > 0 && (
        <section className="space-y-3">
          <h4 className="text-sm font-semibold">{t('detail.parts')}</h4>
          {result.parts.map((part, i) => part.type === 'table' && <AnswerTable key={i} part={part} />)}
          {pictures.map((picture) => (
            <AnswerPicture key={picture.files[0]?.fileId} picture={picture} />
          ))}
        </section>
      )}
      {step.output !== null && <Value title={t('detail.output')} value={result.output} />}
      <Inside entry={entry} timeline={timeline} onChoose={onChoose} />
    </>
  )
}

/** A tool's SQL or script is shown as such; the rest as JSON. */
function Input({ value }: { value: Json }) {
  const { t } = useTexts()
  if (value !== null && typeof value === 'object' && !Array.isArray(value) && typeof value['sql'] === 'string') {
    const { sql, ...rest } = value
    return (
      <>
        <CodeBlock
          title={t('answer.sql')}
          actions={<CopyButton isIconOnly getText={() => String(sql)} words={{ label: t('common.copy'), done: t('common.copied') }} />}
        >
          <Code text={String(sql)} language="sql" words={{ more: (chars) => t('common.more', { chars }) }} />
        </CodeBlock>
        {Object.keys(rest).length > 0 && <Value title={t('detail.input')} value={rest} />}
      </>
    )
  }
  return value === null ? null : <Value title={t('detail.input')} value={value} />
}

function Inside({ entry, timeline, onChoose }: Pick<Props, 'entry' | 'timeline' | 'onChoose'>) {
  const { t, locale } = useTexts()
  const children = entry.children.flatMap((key) => timeline.entries.get(key) ?? [])
  if (children.length === 0) return null
  return (
    <ul className="divide-y divide-line rounded-md border border-line">
      {children.map((child) => {
        const { title, summary, isCode } = wordsOf(child, t)
        return (
          <li key={child.key}>
            <button type="button" onClick={() => onChoose(child.key)} className="flex w-full items-center gap-2 px-3 py-1.5 text-left text-sm hover:bg-hover">
              <StateIcon tone={entryTones[child.state]} />
              <span className="font-medium">{title}</span>
              <span className={isCode ? 'min-w-0 flex-1 truncate font-mono text-xs text-ink-3' : 'min-w-0 flex-1 truncate text-ink-3'}>{summary}</span>
              {child.endedAt !== null && <span className="text-xs text-ink-3">{formatDuration(child.endedAt - child.startedAt, locale)}</span>}
            </button>
          </li>
        )
      })}
    </ul>
  )
}

/** Tools answer with `{ output, parts }`; plain steps with any value. */
function resultOf(output: Json): ToolResult {
  const isResult = output !== null && typeof output === 'object' && !Array.isArray(output) && 'output' in output && 'parts' in output
  const parsed = isResult ? ToolResult.safeParse(output) : undefined
  return parsed?.success ? parsed.data : { output, parts: [] }
}
