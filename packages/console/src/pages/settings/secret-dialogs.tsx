import { HostPattern, Name, secretBytesMax } from '@longhaul/protocol'
import type { Secret } from '@longhaul/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Check, Field } from '../../ui/Field.tsx'
import { TextArea, TextInput } from '../../ui/Fields.tsx'
import { FormDialog } from '../FormDialog.tsx'

/** A new secret, or the next version of one. */
export function SecretSetDialog({ secret, onClose }: { secret?: Secret | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [name, setName] = useState(secret?.name ?? '')
  const [description, setDescription] = useState(secret?.description ?? '')
  const [value, setValue] = useState('')
  const [isShown, setShown] = useState(false)
  const [isTried, setTried] = useState(false)
  const [hosts, setHosts] = useState(secret?.hosts.join(', ') ?? '')
  const [agents, setAgents] = useState(secret?.agents?.join(', ') ?? '')
  const hostList = listed(hosts)
  const agentList = listed(agents)
  const wrongHosts = hostList.every((host) => HostPattern.safeParse(host).success) ? undefined : t('secrets.badHost')
  const wrongAgents = agentList.every((agent) => Name.safeParse(agent).success) ? undefined : t('admin.badName')
  const wrongName = Name.safeParse(name).success ? undefined : t('admin.badName')
  const wrongValue = value === '' ? t('secrets.noValue') : undefined
  const set = useMutation({
    mutationFn: () => client.secrets.set({ name, value, description, hosts: hostList, agents: agentList.length > 0 ? agentList : null }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['secrets'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={secret ? t('secrets.rotateTitle', { name: secret.name }) : t('secrets.createTitle')}
      action={secret ? t('secrets.rotate', { version: secret.version + 1 }) : t('secrets.store')}
      isBusy={set.isPending}
      error={set.error}
      onSubmit={() => {
        setTried(true)
        if ([wrongName, wrongValue, wrongHosts, wrongAgents].every((wrong) => wrong === undefined)) set.mutate()
      }}
      onClose={onClose}
    >
      {secret ? (
        <p className="text-ink-2">{t('secrets.rotateText')}</p>
      ) : (
        <Field label={t('secrets.name')} hint={t('secrets.nameHint')} error={isTried ? wrongName : undefined}>
          {(ids) => (
            <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} className="font-mono text-sm" />
          )}
        </Field>
      )}
      <Field label={t('secrets.value')} hint={t('secrets.valueHint')} error={isTried ? wrongValue : undefined}>
        {(ids) =>
          isShown ? (
            <TextArea
              {...ids}
              rows={4}
              spellCheck={false}
              maxLength={secretBytesMax}
              value={value}
              onChange={(event) => setValue(event.target.value)}
              className="block font-mono text-xs"
            />
          ) : (
            <TextInput
              {...ids}
              type="password"
              autoComplete="new-password"
              maxLength={secretBytesMax}
              value={value}
              onChange={(event) => setValue(event.target.value)}
              className="font-mono text-sm"
            />
          )
        }
      </Field>
      <Check label={t('secrets.show')} isChecked={isShown} onChange={setShown} />
      <Field label={t('secrets.hosts')} hint={t('secrets.hostsHint')} error={wrongHosts}>
        {(ids) => (
          <TextInput
            {...ids}
            spellCheck={false}
            placeholder="api.example.com, *.example.com"
            value={hosts}
            onChange={(event) => setHosts(event.target.value)}
            className="font-mono text-sm"
          />
        )}
      </Field>
      <Field label={t('secrets.agents')} hint={t('secrets.agentsHint')} error={wrongAgents}>
        {(ids) => (
          <TextInput
            {...ids}
            spellCheck={false}
            placeholder={t('limits.all')}
            value={agents}
            onChange={(event) => setAgents(event.target.value)}
            className="text-sm"
          />
        )}
      </Field>
      <Field label={t('admin.description')} hint={t('secrets.descriptionHint')}>
        {(ids) => <TextInput {...ids} maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </FormDialog>
  )
}

/** `a, b` as a list. */
const listed = (text: string): string[] =>
  text
    .split(/[\s,]+/)
    .map((one) => one.trim())
    .filter(Boolean)

/** What is destroyed here nothing brings back, so its name is written once. */
export function SecretDeleteDialog({ secret, onClose }: { secret: Secret; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [typed, setTyped] = useState('')
  const remove = useMutation({
    mutationFn: () => client.secrets.delete({ name: secret.name }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['secrets'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={t('secrets.deleteTitle', { name: secret.name })}
      action={t('secrets.delete')}
      isDangerous
      isBusy={remove.isPending}
      error={remove.error}
      blockedBecause={typed === secret.name ? undefined : t('secrets.typeFirst', { name: secret.name })}
      onSubmit={() => remove.mutate()}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('secrets.deleteText', { count: secret.version })}</p>
      <Field label={t('secrets.typeName', { name: secret.name })}>
        {(ids) => (
          <TextInput {...ids} autoFocus autoComplete="off" value={typed} onChange={(event) => setTyped(event.target.value)} className="font-mono text-sm" />
        )}
      </Field>
    </FormDialog>
  )
}
