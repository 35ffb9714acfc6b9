import type { Me } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Note } from '../../ui/Notes.tsx'
import { StateBadge } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Section, useMeChange } from './Section.tsx'

export function SecondFactor({ me }: { me: Me }) {
  const { t } = useTexts()
  const [codes, setCodes] = useState<string[]>([])
  const isOn = me.factors.includes('code')
  return (
    <Section title={t('people.secondFactor')}>
      <p className="flex items-center gap-2">
        <StateBadge tone={isOn ? 'good' : 'off'}>{isOn ? t('people.on') : t('people.off')}</StateBadge>
        {me.person.hasSecondFactor && <span className="text-sm text-ink-2">{t('people.codesLeft', { count: me.recoveryCodesLeft })}</span>}
      </p>
      {codes.length > 0 && <RecoveryCodes codes={codes} onDone={() => setCodes([])} />}
      {me.person.hasSecondFactor && <Manage isOn={isOn} onCodes={setCodes} />}
      {!isOn && <Enrolment hasPassword={me.hasPassword && !me.person.hasSecondFactor} onCodes={setCodes} />}
    </Section>
  )
}

export function RecoveryCodes({ codes, onDone }: { codes: string[]; onDone: () => void }) {
  const { t } = useTexts()
  return (
    <Note
      tone="warn"
      title={t('people.recoveryTitle')}
      action={
        <>
          <CopyButton getText={() => codes.join('\n')} words={{ label: t('common.copy'), done: t('common.copied') }} />
          <Button size="sm" onClick={onDone}>
            {t('people.kept')}
          </Button>
        </>
      }
    >
      <p className="text-sm">{t('people.recoveryText')}</p>
      <ul aria-label={t('people.recoveryTitle')} className="grid gap-x-6 font-mono text-sm sm:grid-cols-2">
        {codes.map((code) => (
          <li key={code}>{code}</li>
        ))}
      </ul>
    </Note>
  )
}

function Manage({ isOn, onCodes }: { isOn: boolean; onCodes: (codes: string[]) => void }) {
  const { t } = useTexts()
  const accept = useMeChange()
  const renew = useMutation({
    mutationFn: () => client.me.recovery(),
    onSuccess: ({ recoveryCodes }) => {
      onCodes(recoveryCodes)
      return accept()
    },
  })
  const end = useMutation({ mutationFn: () => client.me.unenroll(), onSuccess: (me) => accept(me) })
  return (
    <div className="space-y-3">
      <div className="flex flex-wrap gap-2">
        <Button isBusy={renew.isPending} onClick={() => renew.mutate()}>
          {t('people.newCodes')}
        </Button>
        {isOn && (
          <Button look="danger" isBusy={end.isPending} onClick={() => end.mutate()}>
            {t('people.turnOff')}
          </Button>
        )}
      </div>
      {renew.isError && <RequestError error={renew.error} />}
      {end.isError && <RequestError error={end.error} />}
    </div>
  )
}

function Enrolment({ hasPassword, onCodes }: { hasPassword: boolean; onCodes: (codes: string[]) => void }) {
  const { t } = useTexts()
  const [password, setPassword] = useState('')
  const [code, setCode] = useState('')
  const accept = useMeChange()
  const begin = useMutation({ mutationFn: () => client.me.enroll(hasPassword ? { password } : {}), onSuccess: () => setPassword('') })
  const confirm = useMutation({
    mutationFn: () => client.me.confirm({ code: code.trim() }),
    onSuccess: ({ recoveryCodes }) => {
      onCodes(recoveryCodes)
      return accept()
    },
  })
  const submit = (event: FormEvent) => {
    event.preventDefault()
    if (begin.data) confirm.mutate()
    else begin.mutate()
  }
  return (
    <form onSubmit={submit} className="space-y-3">
      {!begin.data ? (
        <>
          <p className="text-sm text-ink-2">{t('people.factorText')}</p>
          {hasPassword && (
            <TextField label={t('people.currentPassword')} type="password" autoComplete="current-password" value={password} onText={setPassword} />
          )}
          <Button type="submit" look="primary" isBusy={begin.isPending} disabledBecause={hasPassword && !password ? t('people.fillIn') : undefined}>
            {t('people.turnOn')}
          </Button>
        </>
      ) : (
        <>
          <p className="text-sm text-ink-2">{t('people.addSecret')}</p>
          <p className="flex items-center justify-between gap-2 rounded-md border border-line bg-sunken py-1 pr-1 pl-3">
            <code aria-label={t('people.secretLabel')} className="font-mono text-sm break-all">
              {begin.data.secret.match(/.{4}/g)?.join(' ')}
            </code>
            <CopyButton isIconOnly getText={() => begin.data.secret} words={{ label: t('common.copy'), done: t('common.copied') }} />
          </p>
          <a href={begin.data.uri} className="inline-block rounded-sm text-sm text-accent hover:underline">
            {t('people.openAuthenticator')}
          </a>
          <TextField label={t('people.code')} autoComplete="one-time-code" inputMode="numeric" autoFocus value={code} onText={setCode} />
          <Button type="submit" look="primary" isBusy={confirm.isPending} disabledBecause={code.trim().length >= 6 ? undefined : t('people.fillIn')}>
            {t('people.confirm')}
          </Button>
        </>
      )}
      {begin.isError && <RequestError error={begin.error} />}
      {confirm.isError && <RequestError error={confirm.error} />}
    </form>
  )
}
