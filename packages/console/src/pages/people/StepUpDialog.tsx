import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { plainClient } from '../../api/client.ts'
import { readMe, setMe } from '../../api/login.ts'
import { stepUpWithPasskey } from '../../api/passkey.ts'
import { answerStepUp } from '../../api/step-up.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { Modal } from '../../ui/Sheet.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { PasskeyButton } from '../sign-in/PasskeyButton.tsx'

/** Asks for the second factor that a request needs. */
export function StepUpDialog() {
  const { t } = useTexts()
  return (
    <Modal isOpen onClose={() => answerStepUp(false)} title={t('people.stepUpTitle')}>
      {readMe()?.person.hasSecondFactor ? <CodeForm /> : <Missing />}
    </Modal>
  )
}

function CodeForm() {
  const { t } = useTexts()
  const [code, setCode] = useState('')
  const give = useMutation({
    mutationFn: () => plainClient.me.stepup({ code: code.trim() }),
    onSuccess: (me) => {
      setMe(me)
      answerStepUp(true)
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    give.mutate()
  }
  return (
    <form onSubmit={submit} className="mt-3 space-y-4">
      <p className="text-ink-2">{t('people.stepUpText')}</p>
      {readMe()?.factors.includes('passkey') && (
        <PasskeyButton label={t('passkeys.use')} className="w-full" act={() => stepUpWithPasskey().then(() => answerStepUp(true))} />
      )}
      <TextField label={t('people.code')} hint={t('people.codeHint')} autoComplete="one-time-code" autoFocus value={code} onText={setCode} />
      {give.isError && <RequestError error={give.error} />}
      <div className="flex justify-end gap-2">
        <Button onClick={() => answerStepUp(false)}>{t('people.cancel')}</Button>
        <Button type="submit" look="primary" isBusy={give.isPending} disabledBecause={code.trim().length >= 6 ? undefined : t('people.fillIn')}>
          {t('people.confirm')}
        </Button>
      </div>
    </form>
  )
}

function Missing() {
  const { t } = useTexts()
  return (
    <div className="mt-3 space-y-4">
      <p className="text-ink-2">{t('people.stepUpMissing')}</p>
      <div className="flex justify-end gap-2" onClickCapture={() => answerStepUp(false)}>
        <Button>{t('people.cancel')}</Button>
        <AppLink href={paths.me()} className={buttonClass('primary')}>
          {t('people.turnOn')}
        </AppLink>
      </div>
    </div>
  )
}
