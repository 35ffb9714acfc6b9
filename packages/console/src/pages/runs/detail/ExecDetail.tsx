import { ExecRequest, ExecResult } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import type { Entry } from '../../../timeline/index.ts'
import { Code, CodeBlock } from '../../../ui/Code.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { cx } from '../../../ui/cx.ts'
import { DownloadButton } from '../AnswerFiles.tsx'
import { FailureView } from '../OutcomeView.tsx'
import { Facts, Value } from './parts.tsx'
import type { Step } from './parts.tsx'

/** A command in the sandbox: the script, what it printed, how it ended, and what it ran in. */
export function ExecDetail({ step, entry, facts }: { step: Step; entry: Entry; facts: readonly [string, ReactNode][] }) {
  const { t } = useTexts()
  const request = ExecRequest.safeParse(step.input)
  const result = ExecResult.safeParse(step.output)
  const { live } = entry
  const done = result.success ? result.data : undefined
  const exit: ReactNode = done && (
    <span className={cx('font-mono text-xs', done.exitCode === 0 ? 'text-good' : 'text-bad')}>{done.exitCode ?? done.signal ?? '?'}</span>
  )
  // What a failed command says of its failure is what one came for; its output may be long.
  const hasFailed = done !== undefined && done.exitCode !== 0
  const errors = (done?.stderr || live?.stderr) && <Text title={t('detail.stderr')} text={done?.stderr ?? live?.stderr ?? ''} isOutput />
  return (
    <>
      <Facts
        facts={[
          ...facts,
          ...(done
            ? ([
                [t('detail.exitCode'), exit],
                [t('detail.driver'), <span className="font-mono text-xs">{done.driver}</span>],
              ] as const)
            : []),
        ].map(([name, value]) => [name, value])}
      />
      {step.failure && <FailureView failure={step.failure} title={t('detail.error')} />}
      {done?.isTimedOut && <p className="text-sm text-bad">{t('detail.timedOut')}</p>}
      {request.success ? (
        <>
          <Text
            title={[t('detail.script'), request.data.cwd && t('detail.cwd', { path: request.data.cwd })].filter(Boolean).join(' · ')}
            text={'script' in request.data ? request.data.script : [request.data.cmd, ...request.data.args.map(quoted)].join(' ')}
          />
          {request.data.stdin && <Text title={t('detail.stdin')} text={request.data.stdin} />}
        </>
      ) : (
        step.input !== null && <Value title={t('detail.input')} value={step.input} />
      )}
      {hasFailed && errors}
      <Text title={t('detail.stdout')} text={done?.stdout ?? live?.stdout ?? ''} isOutput />
      {!hasFailed && errors}
      {done?.isTruncated && (
        <p className="flex flex-wrap items-center gap-2 text-sm text-ink-2">
          {t(done.whole?.length ? 'detail.kept' : 'detail.truncated')}
          {done.whole?.map((file) => (
            <DownloadButton key={file.fileId} file={file} label={file.name} />
          ))}
        </p>
      )}
    </>
  )
}

function Text({ title, text, isOutput = false }: { title: string; text: string; isOutput?: boolean }) {
  const { t } = useTexts()
  return (
    <CodeBlock
      title={title}
      isDark={isOutput}
      actions={<CopyButton isIconOnly getText={() => text} words={{ label: t('common.copy'), done: t('common.copied') }} />}
    >
      {text === '' ? (
        <span className="text-xs text-ink-3">{t('detail.empty')}</span>
      ) : (
        <Code text={text} words={{ more: (chars) => t('common.more', { chars }) }} />
      )}
    </CodeBlock>
  )
}

/** As one would type it: words of plain characters bare, others in single quotes. */
const quoted = (word: string): string => (/^[\w./:=@%+,-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)
