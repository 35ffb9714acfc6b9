import { useMutation, useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { readMe } from '../../api/login.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { Note, Skeleton } from '../../ui/Notes.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** Where a person lets a program act for them. */
export function DevicePage() {
  const { t } = useTexts()
  const { code } = useSearch({ from: '/shell/device' })
  return (
    <div className="mx-auto max-w-md space-y-5">
      <h1 className="text-2xl font-semibold tracking-tight">{t('people.deviceTitle')}</h1>
      {!readMe() ? <Note tone="warn" title={t('people.onlyPeople')} /> : code ? <Decision key={code} code={code} /> : <CodeForm />}
    </div>
  )
}

function CodeForm() {
  const { t } = useTexts()
  const navigate = useNavigate()
  const [code, setCode] = useState('')
  const submit = (event: FormEvent) => {
    event.preventDefault()
    void navigate({ to: patterns.device, search: { code: code.trim() } })
  }
  return (
    <form onSubmit={submit} className="space-y-3">
      <TextField label={t('people.deviceCode')} autoFocus autoComplete="off" value={code} onText={setCode} />
      <Button type="submit" look="primary" disabledBecause={code.trim() ? undefined : t('people.fillIn')}>
        {t('people.next')}
      </Button>
    </form>
  )
}

function Decision({ code }: { code: string }) {
  const { t } = useTexts()
  const look = useQuery({ queryKey: ['device', code], queryFn: () => client.devices.get({ userCode: code }), retry: false })
  const decide = useMutation({ mutationFn: (approved: boolean) => client.devices.decide({ userCode: code, approved }) })
  if (decide.data) return <Note title={decide.data.approved ? t('people.deviceApproved') : t('people.deviceDenied')} />
  if (look.isPending) return <Skeleton className="h-40" />
  if (look.isError) return <RequestError error={look.error} />
  return (
    <div className="space-y-4 rounded-lg border border-line bg-surface p-5">
      <p>{t('people.deviceText', { name: look.data.name, address: look.data.address })}</p>
      <p className="font-mono text-2xl tracking-widest">{look.data.userCode}</p>
      <p className="text-sm text-ink-2">{t('people.deviceWarning')}</p>
      <div className="flex gap-2">
        <Button look="primary" isBusy={decide.isPending} onClick={() => decide.mutate(true)}>
          {t('people.allow')}
        </Button>
        <Button look="danger" isBusy={decide.isPending} onClick={() => decide.mutate(false)}>
          {t('people.refuse')}
        </Button>
      </div>
      {decide.isError && <RequestError error={decide.error} />}
    </div>
  )
}
