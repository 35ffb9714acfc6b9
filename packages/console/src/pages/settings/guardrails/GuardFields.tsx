import { personalKinds } from '@longhaul/protocol'
import { Trash2 } from 'lucide-react'
import { useTexts } from '../../../i18n/index.ts'
import { IconButton } from '../../../ui/Button.tsx'
import { Check, CheckList, Field, FieldSet, SelectField, TextField } from '../../../ui/Field.tsx'
import { TextArea } from '../../../ui/Fields.tsx'
import { guardPlaces, readsRequests, unreadFilesActions } from './guard-draft.ts'
import type { GuardDraft } from './guard-draft.ts'

type Props = { draft: GuardDraft; problem: string | undefined; onChange: (draft: GuardDraft) => void; onRemove: (() => void) | undefined }

/** One guard: what it looks for, where, and what happens then. */
export function GuardFields({ draft, problem, onChange, onRemove }: Props) {
  const { t } = useTexts()
  const change = (changes: Partial<GuardDraft>) => onChange({ ...draft, ...changes })
  const { type } = draft
  const mayMask = type === 'personal' || type === 'secrets' || type === 'words'
  const actions = mayMask ? (['block', 'mask', 'annotate'] as const) : (['block', 'annotate'] as const)
  return (
    <fieldset className="min-w-0 rounded-md border border-line">
      <legend className="sr-only">{t(`guardrails.types.${type}`)}</legend>
      <div className="flex min-h-9 items-center justify-between gap-3 border-b border-line bg-sunken py-1 pr-1.5 pl-3">
        <p className="min-w-0 text-sm">
          <span className="font-medium">{t(`guardrails.types.${type}`)}</span>
          <span className="ml-3 text-xs text-ink-3 max-sm:hidden">{t(`guardrails.typeTexts.${type}`)}</span>
        </p>
        {onRemove && (
          <IconButton size="sm" label={t('guardrails.removeGuard', { guard: t(`guardrails.types.${type}`) })} onClick={onRemove}>
            <Trash2 size={14} aria-hidden />
          </IconButton>
        )}
      </div>
      <div className="space-y-4 p-3">
        {type === 'size' && (
          <div className="grid gap-4 sm:grid-cols-3">
            {(['inputBytesMax', 'inputTokensMax', 'outputTokensMax'] as const).map((field) => (
              <TextField
                key={field}
                label={t(`guardrails.${field}`)}
                inputMode="numeric"
                placeholder={t('limits.noLimit')}
                value={draft[field]}
                onText={(text) => change({ [field]: text })}
              />
            ))}
          </div>
        )}
        {type === 'personal' && (
          <FieldSet label={t('guardrails.kindsLabel')}>
            <CheckList
              values={draft.kinds}
              choices={personalKinds.map((value) => ({ value, label: t(`guardrails.kinds.${value}`) }))}
              onChange={(kinds) => change({ kinds })}
            />
          </FieldSet>
        )}
        {type === 'words' && (
          <Field label={t('guardrails.words')} hint={t('guardrails.wordsHint')}>
            {(ids) => (
              <TextArea
                {...ids}
                rows={3}
                spellCheck={false}
                value={draft.words}
                onChange={(event) => change({ words: event.target.value })}
                className="text-sm"
              />
            )}
          </Field>
        )}
        {type === 'schema' && (
          <>
            <Field label={t('guardrails.schema')} hint={t('guardrails.schemaHint')}>
              {(ids) => (
                <TextArea
                  {...ids}
                  rows={5}
                  spellCheck={false}
                  value={draft.schema}
                  onChange={(event) => change({ schema: event.target.value })}
                  className="font-mono text-xs"
                />
              )}
            </Field>
            <Check label={t('guardrails.repair')} isChecked={draft.isRepaired} onChange={(isRepaired) => change({ isRepaired })} />
          </>
        )}
        {type === 'moderation' && (
          <>
            <TextField label={t('run.model')} hint={t('guardrails.modelHint')} maxLength={200} value={draft.model} onText={(model) => change({ model })} />
            <Field label={t('guardrails.policy')} hint={t('guardrails.policyHint')}>
              {(ids) => (
                <TextArea
                  {...ids}
                  rows={3}
                  maxLength={10_000}
                  value={draft.policy}
                  onChange={(event) => change({ policy: event.target.value })}
                  className="text-sm"
                />
              )}
            </Field>
          </>
        )}
        {type !== 'size' && (
          <div className="grid gap-4 sm:grid-cols-2">
            {type !== 'schema' && (
              <Field label={t('guardrails.on')}>
                {(ids) => (
                  <SelectField
                    {...ids}
                    value={draft.on}
                    onChange={(event) => change({ on: guardPlaces.find((one) => one === event.target.value) ?? 'request' })}
                  >
                    {guardPlaces.map((value) => (
                      <option key={value} value={value}>
                        {t(`guardrails.places.${value}`)}
                      </option>
                    ))}
                  </SelectField>
                )}
              </Field>
            )}
            <Field label={t('guardrails.then')}>
              {(ids) => (
                <SelectField
                  {...ids}
                  value={draft.action}
                  onChange={(event) => change({ action: actions.find((one) => one === event.target.value) ?? 'block' })}
                >
                  {actions.map((value) => (
                    <option key={value} value={value}>
                      {t(`guardrails.actions.${value}`)}
                    </option>
                  ))}
                </SelectField>
              )}
            </Field>
          </div>
        )}
        {readsRequests(draft) && (
          <Field label={t('guardrails.unreadFiles')} hint={t('guardrails.unreadFilesHint')}>
            {(ids) => (
              <SelectField
                {...ids}
                value={draft.unreadFiles}
                onChange={(event) => change({ unreadFiles: unreadFilesActions.find((one) => one === event.target.value) ?? 'annotate' })}
              >
                {unreadFilesActions.map((value) => (
                  <option key={value} value={value}>
                    {t(`guardrails.actions.${value}`)}
                  </option>
                ))}
              </SelectField>
            )}
          </Field>
        )}
        {problem !== undefined && <p className="text-xs text-bad">{problem}</p>}
      </div>
    </fieldset>
  )
}
