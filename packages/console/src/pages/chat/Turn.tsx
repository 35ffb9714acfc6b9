import { attachmentsOf, isTerminal } from '@longhaul/protocol/plain'
import type { Run } from '@longhaul/protocol'
import { useLiveRun } from '../../api/live-run.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { emptyTimeline } from '../../timeline/index.ts'
import { StateIcon } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { AttachmentList } from '../attachments/AttachmentList.tsx'
import { Ago } from '../Moment.tsx'
import { AnswerView } from '../runs/AnswerView.tsx'
import { ApprovalsBelow } from '../runs/ApprovalsBelow.tsx'
import { NowView } from '../runs/NowView.tsx'
import { OutcomeView } from '../runs/OutcomeView.tsx'
import { answerOf } from '../runs/answer-of.ts'
import { questionOf, runTones } from '../runs/run-facts.ts'
import { WaitPanel } from '../runs/WaitPanel.tsx'

/** What was said, and what came of it: while it runs as it comes, with the questions that it asks. */
export function Turn({ run }: { run: Run }) {
  const { t } = useTexts()
  const question = questionOf(run.input)
  const attachments = attachmentsOf(run.input)
  const answer = run.state === 'completed' ? answerOf(run) : undefined
  return (
    <article aria-label={question.slice(0, 80) || attachments[0]?.name || t('runs.noInput')} className="space-y-3">
      {(question !== '' || attachments.length === 0) && (
        <div className="ml-auto w-fit max-w-[85%] rounded-lg bg-sunken px-3.5 py-2 break-words whitespace-pre-line">{question || t('runs.noInput')}</div>
      )}
      <AttachmentList attachments={attachments} className="justify-end" />
      {isTerminal(run.state) ? (
        answer ? (
          <AnswerView answer={answer} asker={run.asker} />
        ) : (
          <OutcomeView run={run} timeline={emptyTimeline} />
        )
      ) : (
        <Live run={run} />
      )}
      <p className="flex items-center gap-2 text-xs text-ink-3">
        <StateIcon tone={runTones[run.state]} size={12} />
        <span>{t(`state.${run.state}`)}</span>
        <span aria-hidden>·</span>
        <Ago at={run.createdAt} />
        <span aria-hidden>·</span>
        <AppLink href={paths.run(run.id)} className="rounded-sm text-accent hover:underline">
          {t('chat.steps')}
        </AppLink>
      </p>
    </article>
  )
}

function Live({ run }: { run: Run }) {
  const { timeline, following } = useLiveRun(run.id)
  return (
    <div className="space-y-3">
      {run.state === 'waiting' && run.wait && <WaitPanel run={run} wait={run.wait} />}
      <ApprovalsBelow run={run} />
      <NowView run={run} timeline={timeline} isReconnecting={following.state === 'reconnecting'} />
    </div>
  )
}
