import type { Approval, Json } from '@longhaul/protocol'
import { answersTo, asksOf } from '@longhaul/protocol/plain'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { Check, X } from 'lucide-react'
import { useRef, useState } from 'react'
import type { KeyboardEvent } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { formatInstant } from '../../ui/format.ts'
import { StateBadge } from '../../ui/State.tsx'
import type { Tone } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { PlainView } from '../JsonView.tsx'
import { Ago } from '../Moment.tsx'
import { isWriting } from '../../ui/is-writing.ts'
import { ArgumentSources } from './ArgumentSources.tsx'
import { AskForm, defaultsOf } from './AskForm.tsx'
import { passFocusOn, useCardKeys } from './card-keys.ts'
import { RuleView } from './RuleView.tsx'

const tones: Record<Approval['state'], Tone> = { pending: 'waiting', approved: 'good', denied: 'bad', expired: 'off', withdrawn: 'off' }

/** One question to a person: exactly what is asked, and yes or no. `isLinked` shows the way to its run. */
export function ApprovalCard({ approval, isLinked = false }: { approval: Approval; isLinked?: boolean }) {
  const { t, locale } = useTexts()
  const card = useRef<HTMLElement>(null)
  const [isDenying, setDenying] = useState(false)
  useCardKeys()
  const find = (what: string) => card.current?.querySelector<HTMLElement>(what)
  const onKeyDown = (event: KeyboardEvent) => {
    const { key, altKey, ctrlKey, metaKey, shiftKey, target } = event
    if (altKey || ctrlKey || metaKey || shiftKey || isWriting(target as EventTarget)) return
    const approve = find('[data-key="a"]')
    const to = {
      // Where something has to be filled in first, there.
      a: approve?.ariaDisabled ? (find('fieldset :is(input, select)') ?? approve) : approve,
      r: find('[data-key="r"]'),
      Enter: target === card.current ? find('[data-key="Enter"]') : undefined,
    }[key]
    if (!to) return
    event.preventDefault()
    if (key === 'Enter') return to.click()
    setDenying(key === 'r')
    to.focus()
  }
  return (
    <article
      ref={card}
      data-approval
      tabIndex={-1}
      aria-label={approval.title}
      onKeyDown={onKeyDown}
      className="rounded-lg border border-line bg-surface focus-visible:outline-2 focus-visible:outline-accent"
    >
      <header className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2 px-4 pt-3">
        <div className="min-w-0">
          <h2 className="text-lg font-semibold break-words">{approval.title}</h2>
          <p className="flex flex-wrap gap-x-1.5 text-sm text-ink-2">
            <span className="font-medium">{approval.agent}</span>
            <span>
              {t('approvals.asked')} <Ago at={approval.createdAt} />
            </span>
            {approval.state === 'pending' && (
              <span>
                <span className="max-sm:hidden">· </span>
                {approval.expiresAt === null ? t('wait.noLimit') : t('wait.expires', { when: formatInstant(Date.parse(approval.expiresAt), locale) })}
              </span>
            )}
          </p>
        </div>
        <StateBadge tone={tones[approval.state]}>{t(`wait.${approval.state}`)}</StateBadge>
      </header>
      <div className="px-4 py-3">
        {approval.detail === null ? (
          <p className="text-sm text-ink-3">{t('approvals.none')}</p>
        ) : (
          <div className="rounded-md bg-sunken p-3">
            <PlainView value={withoutAsks(approval.detail)} />
          </div>
        )}
        {approval.detail !== null && <ArgumentSources approval={approval} />}
        {(approval.rule || approval.ruleFrom) && (
          <p className="mt-2 text-sm text-ink-2">
            <RuleView
              rule={approval.rule}
              from={approval.ruleFrom}
              {...(approval.state === 'pending' && { escalatesAt: approval.escalatesAt, approvedBy: approval.approvedBy })}
            />
          </p>
        )}
      </div>
      <footer className="flex flex-wrap items-end gap-3 border-t border-line px-4 py-2.5">
        {approval.state === 'pending' ? (
          <Decision
            approval={approval}
            isDenying={isDenying}
            onLeave={() => setDenying(false)}
            onBack={() => card.current?.focus()}
            onDecided={() => passFocusOn(card.current)}
          />
        ) : (
          <Decided approval={approval} />
        )}
        {isLinked && (
          <AppLink data-key="Enter" href={paths.run(approval.runId)} className="ml-auto rounded-sm py-1 text-sm text-accent hover:underline">
            {t('approvals.toRun')}
          </AppLink>
        )}
      </footer>
    </article>
  )
}

function Decided({ approval }: { approval: Approval }) {
  const { t } = useTexts()
  return (
    <p className="text-sm text-ink-2">
      {approval.decidedBy && t('approvals.truth', { name: approval.decidedBy })} {approval.decidedAt && <Ago at={approval.decidedAt} />}
      {approval.comment && <q className="ml-2 text-ink">{approval.comment}</q>}
    </p>
  )
}

type DecisionProps = {
  approval: Approval
  /** The comment is written for a no, so Enter there denies. */
  isDenying: boolean
  onLeave: () => void
  /** To the card, with Escape. */
  onBack: () => void
  onDecided: () => void
}

function Decision({ approval, isDenying, onLeave, onBack, onDecided }: DecisionProps) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const mayDecide = usePermission('approvals:decide')
  const asks = asksOf(approval.detail)
  const [comment, setComment] = useState('')
  const [answers, setAnswers] = useState(() => defaultsOf(asks))
  const read = answersTo(asks, answers)
  const decide = useMutation({
    mutationFn: (approved: boolean) =>
      client.approvals.decide({
        approvalId: approval.id,
        approved,
        ...(comment.trim() ? { comment: comment.trim() } : {}),
        ...(approved && asks.length > 0 && { answers }),
      }),
    onSuccess: onDecided,
    // Also after a conflict: somebody else was faster, and the list knows who.
    onSettled: () => Promise.all([queryClient.invalidateQueries({ queryKey: ['approvals'] }), queryClient.invalidateQueries({ queryKey: ['runs'] })]),
  })
  const blocked = mayDecide ? undefined : t('common.noPermission', { permission: 'approvals:decide' })
  return (
    <div className="flex min-w-0 flex-1 basis-full flex-wrap items-center gap-2 sm:basis-0">
      {asks.length > 0 && (
        <div className="w-full">
          <AskForm who={whoAsks(approval.detail) || approval.agent} asks={asks} answers={answers} onChange={setAnswers} />
        </div>
      )}
      <TextInput
        data-key="r"
        aria-label={t('wait.comment')}
        aria-keyshortcuts="r"
        placeholder={isDenying ? t('approvals.why') : t('wait.comment')}
        maxLength={2_000}
        value={comment}
        onChange={(event) => setComment(event.target.value)}
        onBlur={onLeave}
        onKeyDown={(event) => {
          if (event.key === 'Escape') onBack()
          if (event.key === 'Enter' && isDenying && !event.nativeEvent.isComposing && !blocked && !decide.isPending) decide.mutate(false)
        }}
        isSmall
        className="w-full sm:w-64"
      />
      <Button
        data-key="a"
        aria-keyshortcuts="a"
        look="primary"
        disabledBecause={blocked ?? ('problem' in read ? read.problem : undefined)}
        isBusy={decide.isPending}
        onClick={() => decide.mutate(true)}
      >
        <Check size={14} aria-hidden />
        {t('wait.approve')}
      </Button>
      <Button look="danger" disabledBecause={blocked} isBusy={decide.isPending} onClick={() => decide.mutate(false)}>
        <X size={14} aria-hidden />
        {t('wait.deny')}
      </Button>
      {decide.isError && (
        <div className="w-full">
          <RequestError error={decide.error} />
        </div>
      )}
    </div>
  )
}

const isObject = (value: Json): value is { [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The form shows what is asked. */
function withoutAsks(detail: Json): Json {
  if (!isObject(detail) || asksOf(detail).length === 0) return detail
  const { asks: _, ...rest } = detail
  return rest
}

/** The connection, by the name of its tool. */
const whoAsks = (detail: Json): string => (isObject(detail) && typeof detail['tool'] === 'string' ? (detail['tool'].split('__')[0] ?? '') : '')
