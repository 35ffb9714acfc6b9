import { Name } from '@longhaul/protocol'
import type { Policy } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useNavigate, useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { policiesQuery, policyQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { CodeEditor } from '../../ui/CodeEditor.tsx'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Skeleton } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { FormDialog } from '../FormDialog.tsx'
import { Ago } from '../Moment.tsx'
import { PolicyTester } from './PolicyTester.tsx'
import { useEdited } from '../use-edited.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

const example = `// A refund of more than 100 needs a person, not an agent.
forbid (principal, action == Action::"tools.call", resource == Tool::"refund")
when { context.input has amount && context.input.amount > 100 };
`

export function NewPolicyPage() {
  const { t } = useTexts()
  return (
    <SettingsFrame section="policies" title={t('policies.createTitle')} lead={t('policies.language')}>
      <PolicyEditor versions={[]} />
    </SettingsFrame>
  )
}

export function PolicyPage() {
  const { t } = useTexts()
  const { name } = useParams({ from: '/shell/settings/policies/$name' })
  const [isDeleting, setDeleting] = useState(false)
  return (
    <SettingsFrame
      section="policies"
      title={name}
      actions={
        <Button look="danger" onClick={() => setDeleting(true)}>
          {t('policies.delete')}
        </Button>
      }
    >
      <Versions name={name} />
      {isDeleting && <DeleteDialog name={name} onClose={() => setDeleting(false)} />}
    </SettingsFrame>
  )
}

function Versions({ name }: { name: string }) {
  const policy = useQuery(policyQuery(name))
  if (policy.data) return <PolicyEditor key={name} versions={policy.data.items} />
  return policy.isError ? <RequestError error={policy.error} /> : <Skeleton className="h-96" />
}

function PolicyEditor({ versions }: { versions: readonly Policy[] }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const newest = versions[0]
  const [name, setName] = useState(newest?.name ?? '')
  const [description, setDescription] = useState(newest?.description ?? '')
  const [text, setText] = useState(newest?.text ?? example)
  const [isTried, setTried] = useState(false)
  const wrongName = Name.safeParse(name).success ? undefined : t('admin.badName')
  const edited = useEdited({ shown: newest, load: async () => (await client.policies.get({ name })).items[0] })
  const put = useMutation({
    // A name that was deleted has versions still, and may be taken again.
    mutationFn: () => edited.save((condition) => client.policies.put({ name, text, description }, newest ? condition : {})),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['policies'] })
      if (!newest) await navigate({ to: patterns.policy, params: { name } })
    },
  })
  const isChanged = text !== newest?.text || description !== newest.description || !newest.isActive
  return (
    <div className="grid gap-x-8 gap-y-6 xl:grid-cols-[minmax(0,1fr)_20rem]">
      <form
        noValidate
        className="min-w-0 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          setTried(true)
          if (wrongName === undefined) put.mutate()
        }}
      >
        {!newest && (
          <Field label={t('policies.name')} hint={t('policies.nameHint')} error={isTried ? wrongName : undefined}>
            {(ids) => <TextInput {...ids} maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
          </Field>
        )}
        <Field label={t('admin.description')} hint={t('policies.descriptionHint')}>
          {(ids) => <TextInput {...ids} maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
        <Field label={t('policies.text')} hint={t('policies.textHint')}>
          {(ids) => <CodeEditor {...ids} value={text} onChange={setText} isInvalid={put.isError} maxLength={50_000} />}
        </Field>
        {edited.conflict}
        {put.isError && <RequestError error={put.error} title={t('policies.notSaved')} />}
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" look="primary" isBusy={put.isPending} disabledBecause={isChanged ? undefined : t('policies.unchanged')}>
            {newest ? t('policies.save', { version: newest.version + 1 }) : t('policies.saveFirst')}
          </Button>
          <span role="status" className="text-sm text-ink-2">
            {put.isSuccess && !isChanged && newest && t('policies.inForce', { version: newest.version })}
          </span>
        </div>
        <PolicyTester draft={{ name: name || 'draft', text }} />
      </form>
      {newest && <History versions={versions} onTake={setText} />}
    </div>
  )
}

function History({ versions, onTake }: { versions: readonly Policy[]; onTake: (text: string) => void }) {
  const { t } = useTexts()
  return (
    <section aria-labelledby="versions" className="min-w-0">
      <h2 id="versions" className="mb-2 font-semibold">
        {t('policies.versions')}
      </h2>
      <ul className="divide-y divide-line border-y border-line text-sm">
        {versions.map((version) => (
          <li key={version.version} className="flex items-center gap-2 py-1.5">
            <span className="w-8 shrink-0 font-medium">v{version.version}</span>
            <span className="min-w-0 flex-1 truncate text-xs text-ink-3">
              {version.createdBy} · <Ago at={version.createdAt} />
            </span>
            {version.isActive && <Tag tone="accent">{t('policies.active')}</Tag>}
            <Button size="sm" look="quiet" aria-label={t('policies.takeOne', { version: version.version })} onClick={() => onTake(version.text)}>
              {t('policies.take')}
            </Button>
          </li>
        ))}
      </ul>
      <p className="mt-2 text-xs text-ink-3">{t('policies.takeText')}</p>
    </section>
  )
}

function DeleteDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const navigate = useNavigate()
  const remove = useMutation({
    mutationFn: () => client.policies.delete({ name }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: policiesQuery().queryKey })
      await navigate({ to: patterns.policies })
    },
  })
  return (
    <FormDialog
      title={t('policies.deleteTitle', { name })}
      action={t('policies.delete')}
      isDangerous
      isBusy={remove.isPending}
      error={remove.error}
      onSubmit={() => remove.mutate()}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('policies.deleteText')}</p>
    </FormDialog>
  )
}
