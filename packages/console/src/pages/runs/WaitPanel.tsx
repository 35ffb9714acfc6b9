import { may } from '@longhaul/protocol/plain'
import type { Json, Run, Wait } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { acceptRun, approvalsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { TextArea } from '../../ui/Fields.tsx'
import { formatInstant } from '../../ui/format.ts'
import { Note } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { ApprovalCard } from '../approvals/ApprovalCard.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { JsonView } from '../JsonView.tsx'
import { Ago } from '../Moment.tsx'
import { DoubtForm } from './DoubtForm.tsx'

/** For what a run waits, until when, and what a person can do about it. */
export function WaitPanel({ run, wait }: { run: Run; wait: Wait }) {
  const { t, locale } = useTexts()
  const until = wait.until === null ? t('wait.noLimit') : t('wait.until', { until: formatInstant(Date.parse(wait.until), locale) })
  switch (wait.kind) {
    case 'timer':
      return (
        <Note tone="warn" title={t('wait.timer', { until: wait.until === null ? '?' : formatInstant(Date.parse(wait.until), locale) })}>
          <p className="text-sm text-ink-2">
            {t('wait.timerText', { name: wait.name })} {wait.until && <Ago at={wait.until} />}
          </p>
        </Note>
      )
    case 'signal':
      return (
        <Note tone="warn" title={t('wait.signal', { name: wait.name })}>
          <p className="text-sm text-ink-2">
            {t('wait.signalText')} · {until}
          </p>
          <SignalForm run={run} name={wait.name} />
        </Note>
      )
    case 'approval':
      return <WaitingApproval run={run} wait={wait} />
    case 'run':
      return (
        <Note tone="warn" title={t('wait.run')}>
          <p className="text-sm text-ink-2">
            {t('wait.runText', { name: wait.name })} · {until}
          </p>
        </Note>
      )
    case 'operator':
      return (
        <Note tone="warn" title={t('wait.operator')}>
          {wait.reason && <p>{t(`wait.${wait.reason}`, { name: wait.name })}</p>}
          <Difference detail={wait.detail} />
          {wait.reason && <p className="text-sm text-ink-2">{t(`wait.${wait.reason}Remedy`, { run: run.id })}</p>}
          {wait.reason === 'in_doubt' && wait.op !== undefined && <DoubtForm run={run} op={wait.op} />}
          {wait.reason === 'stopped' && (
            <AppLink href={paths.agent(run.agent)} className={buttonClass('secondary')}>
              {t('wait.toStop')}
            </AppLink>
          )}
          {wait.reason !== 'in_doubt' && wait.reason !== 'stopped' && <RetryButton run={run} />}
        </Note>
      )
  }
}

function WaitingApproval({ run, wait }: { run: Run; wait: Wait }) {
  const { t } = useTexts()
  const approvals = useQuery(approvalsQuery('pending'))
  const approval = approvals.data?.items.find((one) => one.id === wait.approvalId)
  if (approval) return <ApprovalCard approval={approval} />
  if (approvals.isError) return <RequestError error={approvals.error} />
  // Older than the first page of the list, or already decided while this page was on its way.
  return wait.approvalId ? (
    <ApprovalCard
      approval={{
        id: wait.approvalId,
        runId: run.id,
        agent: run.agent,
        title: wait.name,
        detail: wait.detail ?? null,
        state: 'pending',
        decidedBy: null,
        comment: null,
        createdAt: run.createdAt,
        expiresAt: wait.until,
        decidedAt: null,
      }}
    />
  ) : (
    <Note tone="warn" title={t('wait.approval')} />
  )
}

/** Where the code and the recorded history part. */
function Difference({ detail }: { detail: Json | undefined }) {
  const { t } = useTexts()
  if (detail === undefined || detail === null) return null
  const { recorded, asked, message } = typeof detail === 'object' && !Array.isArray(detail) ? detail : {}
  if (typeof message === 'string') return <pre className="max-h-48 overflow-auto text-xs whitespace-pre-wrap">{message}</pre>
  if (typeof recorded !== 'string' || typeof asked !== 'string') return <JsonView value={detail} />
  return (
    <figure className="overflow-hidden rounded-md border border-line bg-surface text-sm">
      <figcaption className="border-b border-line px-3 py-1.5 text-xs text-ink-2">{t('wait.difference')}</figcaption>
      <dl className="grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 p-3">
        <dt className="text-ink-2">{t('wait.recorded')}</dt>
        <dd className="font-mono text-xs leading-5 break-all">{recorded}</dd>
        <dt className="text-ink-2">{t('wait.asked')}</dt>
        <dd className="font-mono text-xs leading-5 break-all text-bad">{asked}</dd>
      </dl>
    </figure>
  )
}

function RetryButton({ run }: { run: Run }) {
  const { t } = useTexts()
  const mayOperate = usePermission('runs:operate')
  const retry = useMutation({ mutationFn: () => client.runs.retry({ runId: run.id }), onSuccess: acceptRun })
  const blocked = !mayOperate ? t('common.noPermission', { permission: 'runs:operate' }) : !may(run.state, 'retry') ? t('run.retryBlocked') : undefined
  return (
    <div className="space-y-3 pt-1">
      <Button look="primary" isBusy={retry.isPending} disabledBecause={blocked} onClick={() => retry.mutate()}>
        {t('run.retry')}
      </Button>
      {retry.isError && <RequestError error={retry.error} />}
    </div>
  )
}

function SignalForm({ run, name }: { run: Run; name: string }) {
  const { t } = useTexts()
  const mayWrite = usePermission('runs:write')
  const [text, setText] = useState('{}')
  const [wrong, setWrong] = useState<string>()
  const send = useMutation({ mutationFn: (payload: Json) => client.runs.signal({ runId: run.id, name, payload }), onSuccess: acceptRun })
  const blocked = !mayWrite ? t('common.noPermission', { permission: 'runs:write' }) : undefined
  const submit = (event: FormEvent) => {
    event.preventDefault()
    try {
      setWrong(undefined)
      send.mutate(JSON.parse(text))
    } catch (error) {
      setWrong(t('wait.badJson', { message: error instanceof Error ? error.message : '' }))
    }
  }
  return (
    <form onSubmit={submit} className="max-w-xl space-y-2 pt-1">
      <label className="block space-y-1.5 text-sm">
        <span className="font-medium">{t('wait.payload')}</span>
        <TextArea
          rows={3}
          spellCheck={false}
          value={text}
          aria-invalid={wrong !== undefined}
          aria-describedby="payload-problem"
          onChange={(event) => setText(event.target.value)}
          className="font-mono text-xs"
        />
      </label>
      <p id="payload-problem" role="alert" className="text-sm text-bad empty:hidden">
        {wrong}
      </p>
      {send.isError && <RequestError error={send.error} />}
      {send.isSuccess && <p className="text-sm text-ink-2">{t('wait.signalSent')}</p>}
      <Button type="submit" look="primary" isBusy={send.isPending} disabledBecause={blocked}>
        {t('wait.send')}
      </Button>
    </form>
  )
}
