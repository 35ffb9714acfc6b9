import { Name } from '@longhaul/protocol'
import type { Guardrail } from '@longhaul/protocol'
import { Plus } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Button } from '../../../ui/Button.tsx'
import { Field, TextField } from '../../../ui/Field.tsx'
import { Select, TextInput } from '../../../ui/Fields.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { emptyDraft, guardTypes, toDraft, toGuard } from './guard-draft.ts'
import type { GuardType } from './guard-draft.ts'
import { GuardFields } from './GuardFields.tsx'

const guardsMax = 20

/** Makes a guardrail, or replaces one. */
export function GuardrailDialog({ guardrail, onClose }: { guardrail?: Guardrail | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const [name, setName] = useState(guardrail?.name ?? '')
  const [route, setRoute] = useState(guardrail?.route ?? '')
  const [namespace, setNamespace] = useState(guardrail?.namespace ?? '')
  const [agent, setAgent] = useState(guardrail?.agent ?? '')
  const [drafts, setDrafts] = useState(() => (guardrail ? guardrail.guards.map(toDraft) : [emptyDraft('personal')]).map((draft, i) => ({ id: i, draft })))
  const [type, setType] = useState<GuardType>('secrets')
  const parsed = drafts.map(({ draft }) => toGuard(draft))
  const guards = parsed.flatMap((one) => ('guard' in one ? [one.guard] : []))
  const isNameWrong = name !== '' && !Name.safeParse(name).success
  const firstProblem = parsed.find((one) => 'problem' in one)
  const problem = !Name.safeParse(name).success
    ? t('admin.badName')
    : drafts.length === 0
      ? t('guardrails.oneGuard')
      : firstProblem && 'problem' in firstProblem
        ? firstProblem.problem
        : undefined
  return (
    <ActionDialog
      size="lg"
      title={guardrail ? t('guardrails.changeTitle', { name: guardrail.name }) : t('guardrails.create')}
      action={t('admin.save')}
      blockedBecause={problem}
      changes={['guardrails']}
      edited={{ shown: guardrail, load: () => client.guardrails.get({ name }) }}
      act={(condition) =>
        client.guardrails.set(
          {
            name,
            guards,
            ...(route.trim() && { route: route.trim() }),
            ...(namespace.trim() && { namespace: namespace.trim() }),
            ...(agent.trim() && { agent: agent.trim() }),
          },
          condition,
        )
      }
      onClose={onClose}
    >
      {!guardrail && (
        <Field label={t('hooks.name')} error={isNameWrong ? t('admin.badName') : undefined}>
          {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
      )}
      <div className="grid gap-4 sm:grid-cols-3">
        <TextField label={t('guardrails.route')} placeholder={t('limits.all')} maxLength={200} value={route} onText={setRoute} />
        <TextField label={t('limits.agent')} placeholder={t('limits.all')} maxLength={63} value={agent} onText={setAgent} />
        <TextField label={t('limits.namespace')} placeholder={t('limits.all')} maxLength={63} value={namespace} onText={setNamespace} />
      </div>
      {drafts.map(({ id, draft }, i) => {
        const one = parsed[i]
        return (
          <GuardFields
            key={id}
            draft={draft}
            // What was not touched yet is told at the button only.
            problem={one && 'problem' in one && JSON.stringify(draft) !== JSON.stringify(emptyDraft(draft.type)) ? one.problem : undefined}
            onChange={(next) => setDrafts(drafts.map((other) => (other.id === id ? { id, draft: next } : other)))}
            onRemove={drafts.length > 1 ? () => setDrafts(drafts.filter((other) => other.id !== id)) : undefined}
          />
        )
      })}
      <div className="flex flex-wrap items-center gap-2">
        <Select
          label={t('guardrails.typeLabel')}
          value={type}
          options={guardTypes.map((value) => ({ value, label: t(`guardrails.types.${value}`) }))}
          onChange={setType}
        />
        <Button
          disabledBecause={drafts.length >= guardsMax ? t('guardrails.tooMany', { count: guardsMax }) : undefined}
          onClick={() => setDrafts([...drafts, { id: Math.max(-1, ...drafts.map(({ id }) => id)) + 1, draft: emptyDraft(type) }])}
        >
          <Plus size={14} aria-hidden />
          {t('guardrails.addGuard')}
        </Button>
      </div>
    </ActionDialog>
  )
}
