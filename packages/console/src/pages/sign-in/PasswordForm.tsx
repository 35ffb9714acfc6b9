import type { SignedIn } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { loadMe, plainClient } from '../../api/client.ts'
import { signInWithPasskey } from '../../api/passkey.ts'
import { storeKey } from '../../api/key.ts'
import { setMe } from '../../api/login.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { ErrorNote } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { PasskeyButton } from './PasskeyButton.tsx'
import { SsoButton } from './SsoButton.tsx'

export function PasswordForm({ to }: { to: string | undefined }) {
  const { t } = useTexts()
  const [email, setEmail] = useState('')
  const [password, setPassword] = useState('')
  const [tenant, setTenant] = useState('default')
  const [asked, setAsked] = useState<SignedIn | null>(null)
  const done = useSignedIn(to)
  const signIn = useMutation({
    mutationFn: () => plainClient.signin.password({ tenant: tenant.trim(), email: email.trim(), password }),
    onSuccess: (answer) => {
      setPassword('')
      if (answer.ticket !== null) setAsked(answer)
      return done.accept(answer)
    },
  })
  if (asked) return <FactorForm asked={asked} to={to} onRestart={() => setAsked(null)} />
  const submit = (event: FormEvent) => {
    event.preventDefault()
    signIn.mutate()
  }
  const isFilled = email.trim() !== '' && password !== ''
  return (
    <form onSubmit={submit} className="space-y-3">
      <TextField label={t('people.email')} type="email" name="email" autoComplete="username" autoFocus value={email} onText={setEmail} />
      <TextField label={t('people.password')} type="password" name="password" autoComplete="current-password" value={password} onText={setPassword} />
      <TextField label={t('people.tenant')} name="tenant" autoComplete="organization" value={tenant} onText={setTenant} hint={t('people.tenantHint')} />
      <Button type="submit" look="primary" size="lg" className="w-full" isBusy={signIn.isPending} disabledBecause={isFilled ? undefined : t('people.fillIn')}>
        {t('signIn.submit')}
      </Button>
      {signIn.isError && <RequestError error={signIn.error} />}
      <AppLink href={paths.forgot()} className="block py-1 text-center text-sm text-ink-2 underline-offset-2 hover:underline">
        {t('people.forgot')}
      </AppLink>
      <PasskeyButton label={t('passkeys.signIn')} className="w-full" act={() => signInWithPasskey().then(done.accept)} />
      <SsoButton tenant={tenant} to={to} />
      {done.isLost && <ErrorNote title={t('people.noCookie')} cause={t('people.noCookieText')} />}
    </form>
  )
}

export function FactorForm({ asked, to, onRestart }: { asked: SignedIn; to: string | undefined; onRestart: () => void }) {
  const { t } = useTexts()
  const ticket = asked.ticket ?? '' // There is one whenever a second factor is missing.
  const [code, setCode] = useState('')
  const done = useSignedIn(to)
  const give = useMutation({ mutationFn: () => plainClient.signin.factor({ ticket, code: code.trim() }), onSuccess: (answer) => done.accept(answer) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    give.mutate()
  }
  return (
    <form onSubmit={submit} className="space-y-3">
      {asked.factors.includes('passkey') && (
        <PasskeyButton label={t('passkeys.use')} className="w-full" act={() => signInWithPasskey(ticket).then(done.accept)} />
      )}
      <TextField
        label={t('people.code')}
        hint={t('people.codeHint')}
        name="code"
        autoComplete="one-time-code"
        inputMode="text"
        autoFocus
        value={code}
        onText={setCode}
      />
      <div className="flex gap-2">
        <Button type="submit" look="primary" isBusy={give.isPending} disabledBecause={code.trim().length >= 6 ? undefined : t('people.fillIn')}>
          {t('signIn.submit')}
        </Button>
        <Button look="quiet" onClick={onRestart}>
          {t('people.startOver')}
        </Button>
      </div>
      {give.isError && <RequestError error={give.error} />}
      {done.isLost && <ErrorNote title={t('people.noCookie')} cause={t('people.noCookieText')} />}
    </form>
  )
}

/** After an answer that signs in: the key of before is put away, and the page that was wanted is shown. A browser may refuse the cookie. */
export function useSignedIn(to: string | undefined) {
  const router = useRouter()
  const [isLost, setLost] = useState(false)
  return {
    isLost,
    async accept({ state }: SignedIn): Promise<void> {
      if (state !== 'signed-in') return
      setMe(null)
      if (!(await loadMe())) return setLost(true)
      storeKey(null)
      await router.navigate({ href: to ?? paths.home() })
    },
  }
}
