import type { Me, Passkey } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { addPasskey, hasPasskeys } from '../../api/passkey.ts'
import { useTexts } from '../../i18n/index.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { Note, Skeleton } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'
import { PasskeyError } from '../sign-in/PasskeyButton.tsx'
import { RecoveryCodes } from './SecondFactor.tsx'
import { Section, useMeChange } from './Section.tsx'

/** One's own passkeys: made, named, taken away. */
export function Passkeys({ me }: { me: Me }) {
  const { t } = useTexts()
  const [codes, setCodes] = useState<string[]>([])
  const list = useQuery({ queryKey: ['passkeys'], queryFn: ({ signal }) => client.passkeys.list({}, { signal }) })
  return (
    <Section title={t('passkeys.title')}>
      <p className="text-sm text-ink-2">{t('passkeys.text')}</p>
      {codes.length > 0 && <RecoveryCodes codes={codes} onDone={() => setCodes([])} />}
      {list.isPending && <Skeleton className="h-10" />}
      {list.isError && <RequestError error={list.error} />}
      {list.data && list.data.items.length > 0 && (
        <ul aria-label={t('passkeys.title')} className="divide-y divide-line">
          {list.data.items.map((passkey) => (
            <PasskeyRow key={passkey.id} passkey={passkey} />
          ))}
        </ul>
      )}
      {hasPasskeys() ? <AddForm asksPassword={me.hasPassword && !me.person.hasSecondFactor} onCodes={setCodes} /> : <Note title={t('passkeys.unavailable')} />}
    </Section>
  )
}

function usePasskeyChange() {
  const queryClient = useQueryClient()
  const accept = useMeChange()
  return () => Promise.all([queryClient.invalidateQueries({ queryKey: ['passkeys'] }), accept()])
}

function PasskeyRow({ passkey }: { passkey: Passkey }) {
  const { t } = useTexts()
  const changed = usePasskeyChange()
  const [name, setName] = useState<string | null>(null)
  const [isLeaving, setLeaving] = useState(false)
  const act = useMutation({ mutationFn: (work: () => Promise<unknown>) => work(), onSuccess: () => setName(null), onSettled: changed })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (name?.trim()) act.mutate(() => client.passkeys.rename({ passkeyId: passkey.id, name: name.trim() }))
  }
  return (
    <li className="space-y-2 py-2 text-sm">
      {name === null ? (
        <div className="flex flex-wrap items-center gap-x-3 gap-y-1">
          <span className="min-w-0 flex-1 basis-40 truncate font-medium">{passkey.name}</span>
          {passkey.host !== location.hostname && <Tag>{t('passkeys.elsewhere', { host: passkey.host })}</Tag>}
          {passkey.isSynced && <Tag>{t('passkeys.synced')}</Tag>}
          <span className="text-ink-2">{passkey.lastUsedAt ? <Ago at={passkey.lastUsedAt} /> : t('passkeys.unused')}</span>
          <Button size="sm" onClick={() => setName(passkey.name)}>
            {t('passkeys.rename')}
          </Button>
          <Button
            size="sm"
            look="danger"
            isBusy={act.isPending}
            onClick={() => (isLeaving ? act.mutate(() => client.passkeys.delete({ passkeyId: passkey.id })) : setLeaving(true))}
          >
            {isLeaving ? t('people.reallyDelete') : t('people.delete')}
          </Button>
        </div>
      ) : (
        <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
          <div className="flex-1">
            <TextField label={t('passkeys.newName')} autoFocus maxLength={100} value={name} onText={setName} />
          </div>
          <Button type="submit" look="primary" isBusy={act.isPending} disabledBecause={name.trim() ? undefined : t('people.fillIn')}>
            {t('people.save')}
          </Button>
          <Button onClick={() => setName(null)}>{t('people.cancel')}</Button>
        </form>
      )}
      {act.isError && <RequestError error={act.error} />}
    </li>
  )
}

function AddForm({ asksPassword, onCodes }: { asksPassword: boolean; onCodes: (codes: string[]) => void }) {
  const { t } = useTexts()
  const changed = usePasskeyChange()
  const [name, setName] = useState('')
  const [password, setPassword] = useState('')
  const add = useMutation({
    mutationFn: () => addPasskey(name.trim(), asksPassword ? password : undefined),
    onSuccess: ({ recoveryCodes }) => {
      setName('')
      setPassword('')
      onCodes(recoveryCodes)
      return changed()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    add.mutate()
  }
  const isFilled = name.trim() && (!asksPassword || password)
  return (
    <form onSubmit={submit} className="space-y-3">
      <TextField label={t('passkeys.name')} hint={t('passkeys.nameHint')} maxLength={100} autoComplete="off" value={name} onText={setName} />
      {asksPassword && <TextField label={t('passkeys.password')} type="password" autoComplete="current-password" value={password} onText={setPassword} />}
      <Button type="submit" look="primary" isBusy={add.isPending} disabledBecause={isFilled ? undefined : t('people.fillIn')}>
        {t('passkeys.add')}
      </Button>
      {add.isError && <PasskeyError error={add.error} />}
    </form>
  )
}
