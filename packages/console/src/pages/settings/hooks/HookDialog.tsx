import { Name, hookSchemes } from '@longhaul/protocol'
import type { Hook } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { useMay } from '../../../api/permissions.ts'
import { agentsQuery } from '../../../api/queries.ts'
import { secretsQuery } from '../../../api/settings.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Field, RadioList, SelectField, TextField } from '../../../ui/Field.tsx'
import { TextArea, TextInput } from '../../../ui/Fields.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { toAction, toDraft } from './hook-draft.ts'
import type { HookDraft } from './hook-draft.ts'

/** `secret`: it was made here, and is told once. */
export type MadeHook = { hook: Hook; secret?: string | undefined }
/** The choice of a secret that is made with the hook. */
const fresh = ' '

/** Makes a hook, or sets one anew. */
export function HookDialog({ hook, onMade, onClose }: { hook?: Hook; onMade: (made: MadeHook) => void; onClose: () => void }) {
  const { t } = useTexts()
  const may = useMay()
  const agents = useQuery({ ...agentsQuery(), enabled: may('agents:read') === true })
  const mayStore = may('secrets:manage') === true
  const secrets = useQuery({ ...secretsQuery(), enabled: mayStore })
  const names = agents.data?.items.map(({ name }) => name) ?? []
  const [name, setName] = useState(hook?.name ?? '')
  const [agent, setAgent] = useState(hook?.agent)
  const [scheme, setScheme] = useState<Hook['scheme']>(hook?.scheme ?? 'standard')
  // These two make the secret themselves: it is theirs to give.
  const mayMake = mayStore && scheme !== 'slack' && scheme !== 'stripe'
  const [chosen, setSecret] = useState(hook?.secret ?? fresh)
  const secret = chosen === fresh && !mayMake ? '' : chosen
  const [events, setEvents] = useState(hook?.events?.join(', ') ?? '')
  const [minutes, setMinutes] = useState(String((hook?.toleranceMs ?? 300_000) / 60_000))
  const [draft, setDraft] = useState(toDraft(hook?.action))
  const parsed = toAction(draft)
  const toleranceMs = Math.round(Number(minutes) * 60_000)
  const isNameWrong = name !== '' && !Name.safeParse(name).success
  const chosenAgent = agent ?? names[0] ?? ''
  const types = events
    .split(',')
    .map((type) => type.trim())
    .filter(Boolean)
  const problem = !Name.safeParse(name).success
    ? t('admin.badName')
    : chosenAgent === ''
      ? t('hooks.noAgent')
      : secret === ''
        ? t('hooks.noSecret')
        : 'problem' in parsed
          ? parsed.problem
          : !(toleranceMs >= 10_000 && toleranceMs <= 3_600_000)
            ? t('hooks.badTolerance')
            : undefined
  return (
    <ActionDialog
      size="lg"
      title={hook ? t('hooks.changeTitle', { name: hook.name }) : t('hooks.create')}
      action={t('admin.save')}
      blockedBecause={problem}
      changes={['hooks', 'secrets']}
      edited={{ shown: hook, load: () => client.hooks.get({ name }) }}
      act={async (condition) => {
        if ('problem' in parsed) return
        const value = secret === fresh ? newSecret(scheme) : undefined
        const stored = secret === fresh ? `hook-${name}`.slice(0, 63).replace(/-$/, '') : secret
        if (value !== undefined) await client.secrets.set({ name: stored, value, description: t('hooks.secretOf', { name }) })
        const made = await client.hooks.set(
          {
            name,
            agent: chosenAgent,
            ...(hook && { namespace: hook.namespace }),
            scheme,
            secret: stored,
            action: parsed.action,
            toleranceMs,
            ...(types.length > 0 && { events: types }),
          },
          condition,
        )
        onMade({ hook: made, secret: value })
      }}
      onClose={onClose}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        {!hook && (
          <Field label={t('hooks.name')} error={isNameWrong ? t('admin.badName') : undefined}>
            {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
        )}
        <Field label={t('limits.agent')}>
          {(ids) =>
            names.length > 0 ? (
              <SelectField {...ids} value={chosenAgent} onChange={(event) => setAgent(event.target.value)}>
                {[...new Set([...names, chosenAgent])].map((value) => (
                  <option key={value}>{value}</option>
                ))}
              </SelectField>
            ) : (
              <TextInput {...ids} maxLength={63} value={chosenAgent} onChange={(event) => setAgent(event.target.value)} />
            )
          }
        </Field>
        <Field label={t('hooks.scheme')} hint={t(`hooks.schemeHints.${scheme}`)}>
          {(ids) => (
            <SelectField {...ids} value={scheme} onChange={(event) => setScheme(hookSchemes.find((one) => one === event.target.value) ?? 'standard')}>
              {hookSchemes.map((value) => (
                <option key={value} value={value}>
                  {t(`hooks.schemes.${value}`)}
                </option>
              ))}
            </SelectField>
          )}
        </Field>
        <Field label={t('hooks.secret')} hint={t(secret === fresh ? 'hooks.freshHint' : 'hooks.storedHint')}>
          {(ids) =>
            mayStore ? (
              <SelectField {...ids} value={secret} onChange={(event) => setSecret(event.target.value)} className="font-mono text-sm">
                {mayMake ? <option value={fresh}>{t('hooks.fresh')}</option> : <option value="">{t('hooks.chooseSecret')}</option>}
                {[...new Set([...(secrets.data?.items.map((one) => one.name) ?? []), ...(hook ? [hook.secret] : [])])].map((value) => (
                  <option key={value}>{value}</option>
                ))}
              </SelectField>
            ) : (
              <TextInput {...ids} maxLength={63} value={secret} onChange={(event) => setSecret(event.target.value)} className="font-mono text-sm" />
            )
          }
        </Field>
      </div>
      <ActionFields draft={draft} onChange={setDraft} problem={'problem' in parsed ? parsed.problem : undefined} />
      <div className="grid gap-4 sm:grid-cols-2">
        <TextField label={t('hooks.events')} hint={t('hooks.eventsHint')} value={events} maxLength={2_000} onText={setEvents} />
        <TextField label={t('hooks.tolerance')} hint={t('hooks.toleranceHint')} inputMode="decimal" value={minutes} onText={setMinutes} />
      </div>
    </ActionDialog>
  )
}

function ActionFields({ draft, onChange, problem }: { draft: HookDraft; onChange: (draft: HookDraft) => void; problem: string | undefined }) {
  const { t } = useTexts()
  const change = (changes: Partial<HookDraft>) => onChange({ ...draft, ...changes })
  // What is only missing so far is said at the button.
  const isWrong = problem !== undefined && (draft.type === 'start' || (draft.run.trim() !== '' && draft.signal.trim() !== ''))
  return (
    <>
      <RadioList
        name="action"
        value={draft.type}
        choices={(['start', 'signal'] as const).map((value) => ({ value, label: t(`hooks.actions.${value}`), text: t(`hooks.actionTexts.${value}`) }))}
        onChange={(type) => change({ type })}
      />
      <div className="grid gap-4 sm:grid-cols-2">
        {draft.type === 'signal' && (
          <>
            <TextField label={t('hooks.run')} hint={t('hooks.runHint')} value={draft.run} maxLength={500} onText={(run) => change({ run })} />
            <TextField label={t('hooks.signal')} hint={t('hooks.signalHint')} value={draft.signal} maxLength={500} onText={(signal) => change({ signal })} />
          </>
        )}
        <Field label={t(draft.type === 'start' ? 'hooks.input' : 'wait.payload')} hint={t('hooks.mappingHint')} error={isWrong ? problem : undefined}>
          {(ids) => (
            <TextArea
              {...ids}
              rows={3}
              spellCheck={false}
              placeholder={'title=/issue/title\nbody=/issue/body'}
              value={draft.mapping}
              onChange={(event) => change({ mapping: event.target.value })}
              className="font-mono text-xs"
            />
          )}
        </Field>
        {draft.type === 'start' && (
          <TextField label={t('hooks.session')} hint={t('hooks.sessionHint')} value={draft.session} maxLength={500} onText={(session) => change({ session })} />
        )}
      </div>
    </>
  )
}

/** 32 random bytes in the form that senders of this scheme take. */
function newSecret(scheme: Hook['scheme']): string {
  const base64 = btoa(String.fromCodePoint(...crypto.getRandomValues(new Uint8Array(32))))
  return scheme === 'standard' ? `whsec_${base64}` : base64
}
