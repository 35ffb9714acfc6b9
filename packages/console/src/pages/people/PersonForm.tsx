import { roleNames } from '@longhaul/protocol'
import type { Person, PersonWithLink, Role } from '@longhaul/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Note } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { useEdited } from '../use-edited.tsx'

type Rights = { name: string; roles: Role[]; namespaces: string; agents: string }

/** Names with commas between; none: all. */
const listOf = (text: string): string[] =>
  text
    .split(',')
    .map((name) => name.trim())
    .filter(Boolean)

function RightFields({ value, onChange }: { value: Rights; onChange: (next: Rights) => void }) {
  const { t } = useTexts()
  return (
    <>
      <TextField label={t('people.name')} maxLength={100} value={value.name} onText={(name) => onChange({ ...value, name })} />
      <fieldset>
        <legend className="mb-1.5 text-sm font-medium">{t('people.may')}</legend>
        <div className="grid grid-cols-2 gap-1 text-sm">
          {roleNames.map((role) => (
            <label key={role} className="flex items-center gap-2">
              <input
                type="checkbox"
                checked={value.roles.includes(role)}
                onChange={({ target }) =>
                  onChange({ ...value, roles: roleNames.filter((each) => (each === role ? target.checked : value.roles.includes(each))) })
                }
              />
              {t(`people.roles.${role}`)}
            </label>
          ))}
        </div>
      </fieldset>
      <TextField
        label={t('people.namespaces')}
        hint={t('people.allIfEmpty')}
        value={value.namespaces}
        onText={(namespaces) => onChange({ ...value, namespaces })}
      />
      <TextField label={t('people.agents')} hint={t('people.allIfEmpty')} value={value.agents} onText={(agents) => onChange({ ...value, agents })} />
    </>
  )
}

export function InviteForm({ onClose }: { onClose: () => void }) {
  const { t, language } = useTexts()
  const queryClient = useQueryClient()
  const [email, setEmail] = useState('')
  const [rights, setRights] = useState<Rights>({ name: '', roles: [], namespaces: '', agents: '' })
  const invite = useMutation({
    mutationFn: () => {
      const [namespaces, agents] = [listOf(rights.namespaces), listOf(rights.agents)]
      return client.people.invite({
        email: email.trim(),
        language,
        roles: rights.roles,
        ...(rights.name.trim() && { name: rights.name.trim() }),
        ...(namespaces.length > 0 && { namespaces }),
        ...(agents.length > 0 && { agents }),
      })
    },
    onSuccess: () => queryClient.invalidateQueries({ queryKey: ['people'] }),
  })
  if (invite.data) return <LinkNote person={invite.data} onClose={onClose} />
  const submit = (event: FormEvent) => {
    event.preventDefault()
    invite.mutate()
  }
  return (
    <form onSubmit={submit} className="mt-3 space-y-3">
      <TextField label={t('people.email')} type="email" autoComplete="off" autoFocus value={email} onText={setEmail} />
      <RightFields value={rights} onChange={setRights} />
      {invite.isError && <RequestError error={invite.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t('people.cancel')}</Button>
        <Button
          type="submit"
          look="primary"
          isBusy={invite.isPending}
          disabledBecause={email.trim() && rights.roles.length > 0 ? undefined : t('people.fillInInvitation')}
        >
          {t('people.invite')}
        </Button>
      </div>
    </form>
  )
}

function LinkNote({ person, onClose }: { person: PersonWithLink; onClose: () => void }) {
  const { t } = useTexts()
  const link = new URL(person.link, location.origin).href
  return (
    <div className="mt-3 space-y-4">
      <Note tone="warn" title={t('people.linkTitle', { name: person.name })}>
        <p className="text-sm">{person.isMailed ? t('people.linkMailed', { email: person.email }) : t('people.linkText')}</p>
        <code aria-label={t('people.link')} className="block font-mono text-xs break-all">
          {link}
        </code>
      </Note>
      <div className="flex justify-end gap-2">
        <CopyButton size="md" getText={() => link} words={{ label: t('common.copy'), done: t('common.copied') }} />
        <Button onClick={onClose}>{t('common.close')}</Button>
      </div>
    </div>
  )
}

async function loadPerson(id: string): Promise<Person | undefined> {
  for (let cursor: string | undefined; ;) {
    const { items, next } = await client.people.list({ limit: 200, ...(cursor !== undefined && { cursor }) })
    const found = items.find((each) => each.id === id)
    if (found || next === null) return found
    cursor = next
  }
}

export function EditForm({ person, onClose }: { person: Person; onClose: () => void }) {
  const { t, language } = useTexts()
  const queryClient = useQueryClient()
  const [rights, setRights] = useState<Rights>({
    name: person.name,
    roles: person.roles,
    namespaces: person.namespaces?.join(', ') ?? '',
    agents: person.agents?.join(', ') ?? '',
  })
  const [isDeleting, setDeleting] = useState(false)
  const personId = person.id
  const edited = useEdited({ shown: person, load: () => loadPerson(personId) })
  const settled = () => queryClient.invalidateQueries({ queryKey: ['people'] })
  const act = useMutation({ mutationFn: (work: () => Promise<unknown>) => work(), onSuccess: onClose, onSettled: settled })
  const link = useMutation({ mutationFn: (resetSecondFactor: boolean) => client.people.link({ personId, resetSecondFactor, language }), onSettled: settled })
  if (link.data) return <LinkNote person={link.data} onClose={onClose} />
  const save = () => {
    const [namespaces, agents] = [listOf(rights.namespaces), listOf(rights.agents)]
    const change = {
      personId,
      name: rights.name.trim(),
      roles: rights.roles,
      namespaces: namespaces.length > 0 ? namespaces : null,
      agents: agents.length > 0 ? agents : null,
    }
    return edited.save((condition) => client.people.update(change, condition))
  }
  const submit = (event: FormEvent) => {
    event.preventDefault()
    act.mutate(save)
  }
  const isDisabled = person.state === 'disabled'
  return (
    <form onSubmit={submit} className="mt-3 space-y-3">
      <p className="text-ink-2">{person.email}</p>
      <RightFields value={rights} onChange={setRights} />
      <div className="flex flex-wrap gap-2 border-t border-line pt-3">
        {!isDisabled && (
          <Button size="sm" isBusy={link.isPending} onClick={() => link.mutate(false)}>
            {t('people.newLink')}
          </Button>
        )}
        {!isDisabled && person.hasSecondFactor && (
          <Button size="sm" isBusy={link.isPending} onClick={() => link.mutate(true)}>
            {t('people.resetFactor')}
          </Button>
        )}
        <Button size="sm" isBusy={act.isPending} onClick={() => act.mutate(() => client.people.signout({ personId }))}>
          {t('people.signOutEverywhere')}
        </Button>
        <Button size="sm" isBusy={act.isPending} onClick={() => act.mutate(() => client.people.update({ personId, isDisabled: !isDisabled }))}>
          {isDisabled ? t('people.enable') : t('people.disable')}
        </Button>
        <Button
          size="sm"
          look="danger"
          isBusy={act.isPending}
          onClick={() => (isDeleting ? act.mutate(() => client.people.delete({ personId })) : setDeleting(true))}
        >
          {isDeleting ? t('people.reallyDelete') : t('people.delete')}
        </Button>
      </div>
      {edited.conflict}
      {act.isError && <RequestError error={act.error} />}
      {link.isError && <RequestError error={link.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={onClose}>{t('people.cancel')}</Button>
        <Button
          type="submit"
          look="primary"
          isBusy={act.isPending}
          disabledBecause={rights.roles.length > 0 && rights.name.trim() ? undefined : t('people.fillInInvitation')}
        >
          {t('people.save')}
        </Button>
      </div>
    </form>
  )
}
