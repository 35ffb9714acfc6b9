import { passwordLengthMin } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { plainClient } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { ErrorNote, Skeleton } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { FactorForm, useSignedIn } from './PasswordForm.tsx'
import { SignInFrame } from './SignInFrame.tsx'

/** Where a link leads. Its token stands behind the #, so that neither proxies nor other sites see it. */
export function JoinPage() {
  const { t } = useTexts()
  const [token] = useState(() => new URLSearchParams(location.hash.slice(1)).get('token') ?? '')
  const look = useQuery({ queryKey: ['join', token], queryFn: () => plainClient.signin.link({ token }), retry: false, staleTime: Number.POSITIVE_INFINITY })
  return (
    <SignInFrame title={t('people.joinTitle')} lead={look.data ? t('people.joinLead', { name: look.data.name, tenant: look.data.tenantId }) : ''}>
      <div className="mt-6 space-y-4">
        {look.isPending && <Skeleton className="h-40" />}
        {look.isError && <RequestError error={look.error} action={<ToSignIn />} />}
        {look.data && <JoinForm token={token} email={look.data.email} />}
      </div>
    </SignInFrame>
  )
}

function ToSignIn() {
  const { t } = useTexts()
  return (
    <AppLink href={paths.signIn()} className={buttonClass('secondary')}>
      {t('signIn.title')}
    </AppLink>
  )
}

function JoinForm({ token, email }: { token: string; email: string }) {
  const { t } = useTexts()
  const [password, setPassword] = useState('')
  const [again, setAgain] = useState('')
  const done = useSignedIn(undefined)
  const join = useMutation({ mutationFn: () => plainClient.signin.join({ token, password }), onSuccess: (answer) => done.accept(answer) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    join.mutate()
  }
  if (join.data?.ticket) return <FactorForm asked={join.data} to={undefined} onRestart={() => location.assign(paths.signIn())} />
  const why =
    password.length < passwordLengthMin ? t('people.passwordHint', { count: passwordLengthMin }) : password === again ? undefined : t('people.passwordsDiffer')
  return (
    <form onSubmit={submit} className="space-y-3">
      <TextField label={t('people.email')} type="email" autoComplete="username" value={email} readOnly onText={() => {}} />
      <TextField
        label={t('people.password')}
        hint={t('people.passwordHint', { count: passwordLengthMin })}
        type="password"
        autoComplete="new-password"
        autoFocus
        value={password}
        onText={setPassword}
      />
      <TextField label={t('people.passwordAgain')} type="password" autoComplete="new-password" value={again} onText={setAgain} />
      <Button type="submit" look="primary" size="lg" className="w-full" isBusy={join.isPending} disabledBecause={why}>
        {t('people.join')}
      </Button>
      {join.isError && <RequestError error={join.error} />}
      {done.isLost && <ErrorNote title={t('people.noCookie')} cause={t('people.noCookieText')} />}
    </form>
  )
}
