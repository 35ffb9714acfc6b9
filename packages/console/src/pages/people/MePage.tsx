import { passwordLengthMin } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { setMe } from '../../api/login.ts'
import { useTexts } from '../../i18n/index.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { Note, Skeleton } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { LoginList } from './LoginList.tsx'
import { MailSettings } from './MailSettings.tsx'
import { Passkeys } from './Passkeys.tsx'
import { Section, useMeChange } from './Section.tsx'
import { SecondFactor } from './SecondFactor.tsx'

/** One's own: password, second factor, where one is signed in. */
export function MePage() {
  const { t } = useTexts()
  const me = useQuery({
    queryKey: ['me'],
    queryFn: async () => {
      const found = await client.me.get()
      setMe(found)
      return found
    },
  })
  return (
    <div className="max-w-2xl space-y-8">
      <h1 className="text-2xl font-semibold tracking-tight">{t('people.myAccount')}</h1>
      {me.isPending && <Skeleton className="h-60" />}
      {me.isError && <RequestError error={me.error} />}
      {me.data && (
        <>
          <p className="text-ink-2">
            <span className="font-medium text-ink">{me.data.person.name}</span> · {me.data.person.email} · {me.data.tenantId} ·{' '}
            {me.data.person.roles.map((role) => t(`people.roles.${role}`)).join(', ')}
          </p>
          <Passkeys me={me.data} />
          <SecondFactor me={me.data} />
          {me.data.hasPassword && <PasswordForm />}
          <MailSettings me={me.data} />
          <LoginList />
        </>
      )}
    </div>
  )
}

function PasswordForm() {
  const { t } = useTexts()
  const [current, setCurrent] = useState('')
  const [next, setNext] = useState('')
  const accept = useMeChange()
  const change = useMutation({
    mutationFn: () => client.me.password({ current, next }),
    onSuccess: (me) => {
      setCurrent('')
      setNext('')
      return accept(me)
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    change.mutate()
  }
  return (
    <Section title={t('people.changePassword')}>
      <form onSubmit={submit} className="space-y-3">
        <TextField label={t('people.currentPassword')} type="password" autoComplete="current-password" value={current} onText={setCurrent} />
        <TextField
          label={t('people.newPassword')}
          hint={t('people.passwordHint', { count: passwordLengthMin })}
          type="password"
          autoComplete="new-password"
          value={next}
          onText={setNext}
        />
        <Button type="submit" isBusy={change.isPending} disabledBecause={current && next.length >= passwordLengthMin ? undefined : t('people.fillIn')}>
          {t('people.changePassword')}
        </Button>
        {change.isSuccess && <Note title={t('people.passwordChanged')} />}
        {change.isError && <RequestError error={change.error} />}
      </form>
    </Section>
  )
}
