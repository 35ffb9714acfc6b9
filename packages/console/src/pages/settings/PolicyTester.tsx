import { operations, roleNames } from '@longhaul/protocol'
import type { Json } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useMay } from '../../api/permissions.ts'
import { keysQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Field, SelectField } from '../../ui/Field.tsx'
import { TextArea, TextInput } from '../../ui/Fields.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RuleView } from '../approvals/RuleView.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** Steps of runs that policies are asked about, besides the operations. */
const stepActions = ['tools.call', 'model.call', 'exec.call', 'files.call', 'artifact.call']
const actions = [...stepActions, ...operations.filter(({ permission }) => permission !== 'policies:manage').map(({ id }) => id)].sort()

type Draft = { name: string; text: string }

/** Asks the policies about a request that nobody makes; with the text that is being written as if it were in force. */
export function PolicyTester({ draft }: { draft?: Draft | undefined }) {
  const { t } = useTexts()
  const [who, setWho] = useState('me')
  const [action, setAction] = useState('tools.call')
  const [resource, setResource] = useState('refund')
  const [context, setContext] = useState('{\n  "agent": "support",\n  "input": { "amount": 500 }\n}')
  const principals = usePrincipals()
  const parsed = parseContext(context)
  const principal = principals.find(({ value }) => value === who)?.principal
  const test = useMutation({
    mutationFn: (asked: { context: Record<string, Json> }) =>
      client.policies.test({ action, resource, context: asked.context, ...(principal && { principal }), ...(draft && { draft }) }),
  })
  const blocked = 'problem' in parsed ? t('policies.badContext', { message: parsed.problem }) : action.trim() === '' ? t('policies.noAction') : undefined
  return (
    <section aria-labelledby="tester" className="space-y-4 border-t border-line pt-6">
      <div>
        <h2 id="tester" className="font-semibold">
          {t('policies.tester')}
        </h2>
        <p className="text-sm text-ink-2">{draft ? t('policies.testerDraft') : t('policies.testerText')}</p>
      </div>
      <div className="grid gap-4 sm:grid-cols-3">
        <Field label={t('policies.who')}>
          {(ids) => (
            <SelectField {...ids} value={who} onChange={(event) => setWho(event.target.value)}>
              {principals.map(({ value, label }) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </SelectField>
          )}
        </Field>
        <Field label={t('policies.action')}>
          {(ids) => (
            <>
              <TextInput
                {...ids}
                list="actions"
                maxLength={100}
                value={action}
                onChange={(event) => setAction(event.target.value)}
                className="font-mono text-sm"
              />
              <datalist id="actions">
                {actions.map((id) => (
                  <option key={id} value={id} />
                ))}
              </datalist>
            </>
          )}
        </Field>
        <Field label={t('policies.resource')}>
          {(ids) => <TextInput {...ids} maxLength={200} value={resource} onChange={(event) => setResource(event.target.value)} className="font-mono text-sm" />}
        </Field>
      </div>
      <Field label={t('policies.context')} hint={t('policies.contextHint')} error={'problem' in parsed ? blocked : undefined}>
        {(ids) => (
          <TextArea
            {...ids}
            rows={Math.max(4, context.split('\n').length)}
            spellCheck={false}
            value={context}
            onChange={(event) => setContext(event.target.value)}
            className="block font-mono text-xs leading-5"
          />
        )}
      </Field>
      <Button isBusy={test.isPending} disabledBecause={blocked} onClick={() => 'value' in parsed && test.mutate({ context: parsed.value })}>
        {t('policies.test')}
      </Button>
      <div aria-live="polite">
        {test.isError && <RequestError error={test.error} title={t('policies.notTested')} />}
        {test.data && <Verdict verdict={test.data} draft={draft} />}
      </div>
    </section>
  )
}

type VerdictOf = Awaited<ReturnType<typeof client.policies.test>>

function Verdict({ verdict: { isAllowed, mayBeApproved, rule, policies, errors, ms }, draft }: { verdict: VerdictOf; draft: Draft | undefined }) {
  const { t, locale } = useTexts()
  return (
    <div className="flex gap-2.5 rounded-md border border-line bg-surface px-3 py-2.5 text-sm">
      <StateIcon tone={isAllowed ? 'good' : 'bad'} size={16} className="mt-0.5" />
      <div className="min-w-0 flex-1 space-y-1">
        <p className="font-medium">{t(isAllowed ? 'policies.allowed' : mayBeApproved ? 'policies.approvable' : 'policies.forbidden')}</p>
        {mayBeApproved && (
          <p>
            <RuleView rule={rule} />
          </p>
        )}
        {policies.length > 0 && (
          <p className="text-ink-2">
            {t('policies.decidedBy')}{' '}
            {policies.map((id, i) => (
              <span key={id}>
                {i > 0 && ', '}
                {draft && id.split('#')[0] === draft.name ? (
                  <span className="font-medium text-ink">{t('policies.thisDraft', { id })}</span>
                ) : (
                  <PolicyLink id={id} />
                )}
              </span>
            ))}
          </p>
        )}
        {errors.map((error) => (
          <p key={error} className="text-bad">
            {error}
          </p>
        ))}
        {errors.length > 0 && <p className="text-xs text-ink-3">{t('policies.errorForbids')}</p>}
      </div>
      <span className="text-xs text-ink-3">{new Intl.NumberFormat(locale, { maximumSignificantDigits: 2 }).format(ms)} ms</span>
    </div>
  )
}

/** A policy by the name that a decision gives it: a text of several statements numbers them. */
function PolicyLink({ id }: { id: string }) {
  return (
    <AppLink href={paths.policy(id.split('#')[0] ?? id)} className="font-medium underline underline-offset-2">
      {id}
    </AppLink>
  )
}

/** The visitor, somebody in each role, and each key that the visitor may see. */
function usePrincipals() {
  const { t } = useTexts()
  const keys = useQuery({ ...keysQuery(), enabled: useMay()('keys:manage') === true })
  return [
    { value: 'me', label: t('policies.me'), principal: undefined },
    ...roleNames.map((role) => ({
      value: `role:${role}`,
      label: t('policies.someone', { role: t(`keys.role.${role}`) }),
      principal: { id: 'someone', name: 'someone', role },
    })),
    ...(keys.data?.items ?? []).map(({ id, name, role }) => ({
      value: id,
      label: t('policies.key', { name }),
      principal: { id, name, ...(role && { role }) },
    })),
  ]
}

function parseContext(text: string): { value: Record<string, Json> } | { problem: string } {
  try {
    const value: unknown = text.trim() === '' ? {} : JSON.parse(text)
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return { problem: '{ … }' }
    return { value: value as Record<string, Json> } // What JSON.parse gives is JSON, and it is an object.
  } catch (error) {
    return { problem: error instanceof Error ? error.message : String(error) }
  }
}
