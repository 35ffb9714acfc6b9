import type { CanarySubjects } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { versionsQuery } from '../../api/agents.ts'
import { versionQuery } from '../../api/versions.ts'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Check, Field, RadioList, TextField } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { GuardFields, type TypedGuard, isGuard, toGuard, usualGuard } from './GuardFields.tsx'
import { RecordTable } from './RecordTable.tsx'

type Props = { agent: string; version: string; share?: number; subjects?: CanarySubjects | null; onClose: () => void }

/** What is going to happen to new runs, before it does. With `share` it begins as a canary. */
export function DeployDialog({ agent, version, share: initialShare, subjects, onClose }: Props) {
  const { t } = useTexts()
  const versions = useQuery(versionsQuery(agent))
  const own = useQuery(versionQuery(agent, version))
  const live = versions.data?.items.find(({ deployment }) => deployment === 'live')
  const canary = versions.data?.items.find(({ deployment }) => deployment === 'canary')
  const ofLive = useQuery({ ...versionQuery(agent, live?.version ?? ''), enabled: live !== undefined })
  const [kind, setKind] = useState<'all' | 'canary'>(initialShare === undefined ? 'all' : 'canary')
  const [share, setShare] = useState(String(initialShare ?? 10))
  const [always, setAlways] = useState(subjects?.always.join(', ') ?? '')
  const [never, setNever] = useState(subjects?.never.join(', ') ?? '')
  const [isGuarded, setGuarded] = useState(true)
  const [guard, setGuard] = useState(usualGuard)
  const [reason, setReason] = useState('')
  const canaryBlocked = !live ? t('agents.noLive') : live.version === version ? t('agents.isLive') : undefined
  const part = kind === 'all' ? 100 : Number(share)
  const named = { always: namesIn(always), never: namesIn(never) }
  const isShare = share.trim() !== '' && Number.isInteger(part) && part >= (named.always.length > 0 ? 0 : 1) && part <= 99
  const problem = kind === 'canary' && !isShare ? t('agents.shareWrong') : isGuarded && !isGuard(guard) ? t('agents.guardWrong') : undefined
  const guardPlan = ({ minutes, failures, durationRatio, costRatio, scoreDrop }: TypedGuard) => [
    t('agents.planGuard', { minutes, failures }),
    durationRatio.trim() && t('agents.planGuardDuration', { times: durationRatio }),
    costRatio.trim() && t('agents.planGuardCost', { times: costRatio }),
    scoreDrop.trim() && t('agents.planGuardScore', { share: scoreDrop }),
  ]
  const plan = [
    kind === 'all' ? t('agents.planAll', { version }) : t('agents.planCanary', { version, share: problem ? '?' : part, live: live?.version ?? '' }),
    kind === 'canary' && named.always.length > 0 && t('agents.canaryAlways', { subjects: named.always.join(', ') }),
    kind === 'canary' && named.never.length > 0 && t('agents.canaryNever', { subjects: named.never.join(', ') }),
    live && live.version !== version && t('agents.planKept', { version: live.version, count: live.activeRunCount }),
    canary && canary.version !== version && t('agents.planCanaryEnds', { version: canary.version }),
    ...(isGuarded && !problem ? guardPlan(guard) : []),
  ].filter(Boolean)
  return (
    <ActionDialog
      title={t('agents.deployTitle', { agent })}
      action={kind === 'all' ? t('agents.deployAll') : t('agents.deployCanary')}
      size="lg"
      changes={['agents']}
      blockedBecause={problem}
      act={() =>
        client.deployments.create({
          agent,
          version,
          share: part,
          ...(kind === 'canary' && named.always.length + named.never.length > 0 && { canarySubjects: named }),
          guard: isGuarded ? toGuard(guard) : null,
          ...(reason.trim() ? { reason: reason.trim() } : {}),
        })
      }
      onClose={onClose}
    >
      <RadioList
        name="kind"
        value={kind}
        onChange={setKind}
        choices={[
          { value: 'all', label: t('agents.all'), text: t('agents.allText') },
          { value: 'canary', label: t('agents.states.canary'), text: t('agents.canaryText'), blockedBecause: canaryBlocked },
        ]}
      />
      {kind === 'canary' && (
        <>
          <Field label={t('agents.share')} error={isShare ? undefined : t('agents.shareWrong')}>
            {(ids) => <TextInput {...ids} inputMode="numeric" value={share} onChange={(event) => setShare(event.target.value)} className="max-w-28" />}
          </Field>
          <div className="grid gap-3 sm:grid-cols-2">
            <TextField label={t('agents.always')} hint={t('agents.subjectsHint')} value={always} onText={setAlways} />
            <TextField label={t('agents.never')} hint={t('agents.subjectsHint')} value={never} onText={setNever} />
          </div>
        </>
      )}
      <div className="space-y-2">
        <Check label={t('agents.guard')} isChecked={isGuarded} onChange={setGuarded} />
        {isGuarded && <GuardFields guard={guard} onChange={setGuard} />}
      </div>
      <Field label={t('agents.reason')}>
        {(ids) => <TextInput {...ids} value={reason} maxLength={1_000} onChange={(event) => setReason(event.target.value)} />}
      </Field>
      <div className="space-y-2">
        <h3 className="text-sm font-medium">{t('agents.plan')}</h3>
        <ul className="list-disc space-y-0.5 pl-4 text-sm break-words text-ink-2">
          {plan.map((line) => (
            <li key={String(line)}>{line}</li>
          ))}
        </ul>
        <RecordTable
          records={[
            { name: t('agents.thisOne'), record: own.data?.record },
            ...(live && live.version !== version ? [{ name: t('agents.states.live'), record: ofLive.data?.record }] : []),
          ]}
        />
      </div>
    </ActionDialog>
  )
}

const namesIn = (text: string): string[] => text.split(/[\s,]+/).filter(Boolean)
