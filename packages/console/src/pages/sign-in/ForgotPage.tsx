import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { plainClient } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { TextField } from '../../ui/Field.tsx'
import { Note } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { SignInFrame } from './SignInFrame.tsx'

/** For whoever forgot the password. The answer is the same whoever there is. */
export function ForgotPage() {
  const { t, language } = useTexts()
  const [email, setEmail] = useState('')
  const [tenant, setTenant] = useState('default')
  const ask = useMutation({ mutationFn: () => plainClient.signin.reset({ tenant: tenant.trim(), email: email.trim(), language }) })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    ask.mutate()
  }
  return (
    <SignInFrame title={t('people.forgotTitle')} lead={t('people.forgotLead')}>
      <div className="mt-6 space-y-4">
        {ask.data ? (
          <Note title={t('people.forgotDone')}>
            <p className="text-sm">{t('people.forgotDoneText', { count: Math.round(ask.data.goodForMs / 60_000) })}</p>
          </Note>
        ) : (
          <form onSubmit={submit} className="space-y-3">
            <TextField label={t('people.email')} type="email" name="email" autoComplete="username" autoFocus value={email} onText={setEmail} />
            <TextField label={t('people.tenant')} name="tenant" autoComplete="organization" value={tenant} onText={setTenant} hint={t('people.tenantHint')} />
            <Button
              type="submit"
              look="primary"
              size="lg"
              className="w-full"
              isBusy={ask.isPending}
              disabledBecause={email.trim() ? undefined : t('people.fillIn')}
            >
              {t('people.forgotSubmit')}
            </Button>
            {ask.isError && <RequestError error={ask.error} />}
          </form>
        )}
        <AppLink href={paths.signIn()} className={buttonClass('quiet')}>
          {t('people.backToSignIn')}
        </AppLink>
      </div>
    </SignInFrame>
  )
}
