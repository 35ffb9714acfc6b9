import type { LoggedCallWithTexts } from '@longhaul/protocol'
import { ApiError } from '@longhaul/sdk/client'
import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { Eye } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { callQuery } from '../../../api/calls.ts'
import { client } from '../../../api/client.ts'
import { useMay, usePermission } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { Button, buttonClass } from '../../../ui/Button.tsx'
import { Field } from '../../../ui/Field.tsx'
import { TextInput } from '../../../ui/Fields.tsx'
import { formatCount, formatDuration, formatInstant, formatUsd } from '../../../ui/format.ts'
import { Note, Skeleton } from '../../../ui/Notes.tsx'
import { StateBadge } from '../../../ui/State.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { AppLink } from '../../AppLink.tsx'
import { RequestError } from '../../ErrorPages.tsx'
import { Guarded } from '../../Guarded.tsx'
import { PageHead } from '../../PageHead.tsx'
import { Facts, Value } from '../../runs/detail/parts.tsx'
import { ModelTabs } from '../ModelTabs.tsx'
import { callTones, wordsOf } from './call-facts.ts'

/** One model call outside of runs, at an address of its own that can be shared. */
export function CallPage() {
  return (
    <Guarded permission="calls:read">
      <Call />
    </Guarded>
  )
}

function Call() {
  const { t } = useTexts()
  const { callId } = useParams({ from: '/shell/models/calls/$callId' })
  const call = useQuery(callQuery(callId))
  // What was masked is nowhere but on this page, and gone with it.
  const [revealed, setRevealed] = useState<LoggedCallWithTexts>()
  const shown = revealed?.id === callId ? revealed : call.data
  if (call.isPending) return <Skeleton className="h-96" />
  if (!shown) {
    const isMissing = call.error instanceof ApiError && (call.error.code === 'not_found' || call.error.code === 'invalid')
    return <RequestError error={call.error} {...(isMissing ? { title: t('calls.missing') } : {})} />
  }
  return (
    <>
      <PageHead
        title={t('calls.one')}
        lead={<code className="text-xs">{shown.id}</code>}
        actions={<StateBadge tone={callTones[shown.outcome]}>{t(`calls.outcomes.${shown.outcome}`)}</StateBadge>}
      />
      <ModelTabs />
      <div className="space-y-6">
        <CallFacts call={shown} />
        <Texts call={shown} isRevealed={shown === revealed} onReveal={setRevealed} />
      </div>
    </>
  )
}

function CallFacts({ call }: { call: LoggedCallWithTexts }) {
  const { t, locale } = useTexts()
  const code = (text: string) => <code className="text-xs break-all">{text}</code>
  const tags = Object.entries(call.tags)
  const facts: [string, ReactNode][] = [
    [t('calls.asked'), code(call.model)],
    [t('calls.answeredBy'), call.answeredBy === null ? t('calls.nobody') : code(call.answeredBy)],
    [t('calls.status'), call.code === null ? call.status : `${call.status} · ${call.code}`],
    [
      t('calls.tokens'),
      <>
        {t('calls.inOut', { input: formatCount(call.inputTokens, locale), output: formatCount(call.outputTokens, locale) })}
        {call.isEstimated && <span className="text-ink-3"> · {t('calls.estimatedText')}</span>}
      </>,
    ],
    [t('runs.cost'), call.costUsd === null ? t('common.unpriced') : formatUsd(call.costUsd, locale)],
    [t('calls.duration'), formatDuration(call.durationMs, locale)],
    [t('calls.at'), formatInstant(Date.parse(call.at), locale)],
    [t('calls.face'), [call.face, ...(call.isStream ? [t('calls.stream')] : []), ...(call.isKeptAnswer ? [t('calls.kept')] : [])].join(', ')],
    [t('calls.namespace'), call.namespace],
    [t('calls.privacy'), t(`callPrivacy.levels.${call.privacy}`)],
    [t('calls.user'), call.user ?? '–'],
    [t('calls.session'), call.session ?? '–'],
    ...(tags.length > 0 ? ([[t('calls.tags'), tags.map(([name, value]) => `${name}: ${value}`).join(', ')]] as [string, ReactNode][]) : []),
  ]
  const others: [string, string][] = [
    ...(call.session === null ? [] : [[t('calls.ofSession'), paths.calls({ session: call.session })] as [string, string]]),
    ...(call.user === null ? [] : [[t('calls.ofUser'), paths.calls({ user: call.user })] as [string, string]]),
    [t('calls.ofKey'), paths.calls({ key: call.keyId })],
  ]
  return (
    <div className="space-y-3">
      <Facts facts={facts} />
      <p className="flex flex-wrap gap-x-3 text-sm text-ink-3">
        {t('calls.moreOf')}
        {others.map(([label, href]) => (
          <AppLink key={href} href={href} className="rounded-sm text-accent hover:underline">
            {label}
          </AppLink>
        ))}
      </p>
    </div>
  )
}

type TextsProps = { call: LoggedCallWithTexts; isRevealed: boolean; onReveal: (call: LoggedCallWithTexts) => void }

function Texts({ call, isRevealed, onReveal }: TextsProps) {
  const { t } = useTexts()
  const may = useMay()
  const [isAsking, setAsking] = useState(false)
  const mayReveal = usePermission('calls:reveal')
  if (call.privacy === 'none')
    return (
      <Note
        title={t('calls.notKept')}
        action={
          may('namespaces:read') && (
            <AppLink href={paths.callPrivacy()} className={buttonClass('secondary')}>
              {t('calls.changeRule')}
            </AppLink>
          )
        }
      >
        <p className="text-sm text-ink-2">{t('calls.notKeptText', { namespace: call.namespace })}</p>
      </Note>
    )
  return (
    <div className="space-y-3">
      {call.isMasked && (
        <div className="flex min-h-8 flex-wrap items-center justify-between gap-3 text-sm text-ink-2">
          {t('calls.masked')}
          <Button size="sm" disabledBecause={mayReveal ? undefined : t('common.noPermission', { permission: 'calls:reveal' })} onClick={() => setAsking(true)}>
            <Eye size={13} aria-hidden />
            {t('calls.reveal')}
          </Button>
        </div>
      )}
      {isRevealed && (
        <p role="status" className="flex min-h-8 items-center text-sm text-warn">
          {t('calls.shown')}
        </p>
      )}
      {call.isCut && <p className="text-sm text-ink-3">{t('calls.cut')}</p>}
      {call.answer === null ? (
        <p className="text-sm text-ink-3">{t('calls.noAnswer')}</p>
      ) : (
        <Value title={t('calls.answer')} value={wordsOf(call.answer) ?? call.answer} />
      )}
      {call.request !== null && <Value title={t('calls.request')} value={call.request} />}
      {isAsking && <RevealDialog callId={call.id} onReveal={onReveal} onClose={() => setAsking(false)} />}
    </div>
  )
}

function RevealDialog({ callId, onReveal, onClose }: { callId: string; onReveal: (call: LoggedCallWithTexts) => void; onClose: () => void }) {
  const { t } = useTexts()
  const [reason, setReason] = useState('')
  return (
    <ActionDialog
      title={t('calls.revealTitle')}
      action={t('calls.reveal')}
      blockedBecause={reason.trim() === '' ? t('calls.reasonMissing') : undefined}
      changes={['audit']}
      act={async () => onReveal(await client.calls.reveal({ callId, reason: reason.trim() }))}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('calls.revealText')}</p>
      <Field label={t('calls.reason')} hint={t('calls.reasonHint')}>
        {(ids) => <TextInput {...ids} autoFocus maxLength={500} value={reason} onChange={(event) => setReason(event.target.value)} />}
      </Field>
    </ActionDialog>
  )
}
