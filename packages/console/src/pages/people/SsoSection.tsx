import { roleNames, ssoReturnPath } from '@longhaul/protocol'
import type { Role, Sso } from '@longhaul/protocol'
import { ApiError } from '@longhaul/sdk/client'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import type { FormEvent } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { TextField } from '../../ui/Field.tsx'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Skeleton } from '../../ui/Notes.tsx'
import { Modal } from '../../ui/Sheet.tsx'
import { StateBadge } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { useEdited } from '../use-edited.tsx'
import { Section } from './Section.tsx'

/** How the tenant's people sign in at a provider of theirs. */
export function SsoSection() {
  const { t } = useTexts()
  const [isOpen, setOpen] = useState(false)
  const sso = useQuery({ queryKey: ['sso'], queryFn: ({ signal }) => findSso(signal) })
  const redirect = location.origin + ssoReturnPath
  return (
    <Section title={t('sso.title')}>
      <p className="text-sm text-ink-2">{t('sso.text')}</p>
      <p className="flex flex-wrap items-center gap-2 text-sm">
        {t('sso.returnsTo')} <code className="font-mono text-xs break-all">{redirect}</code>
        <CopyButton isIconOnly getText={() => redirect} words={{ label: t('common.copy'), done: t('common.copied') }} />
      </p>
      {sso.isPending && <Skeleton className="h-8" />}
      {sso.isError && <RequestError error={sso.error} />}
      {sso.isSuccess && (
        <div className="flex flex-wrap items-center gap-3">
          <StateBadge tone={sso.data ? 'good' : 'off'}>{sso.data ? t('people.on') : t('people.off')}</StateBadge>
          {sso.data && <span className="text-sm break-all">{sso.data.issuer}</span>}
          <Button size="sm" onClick={() => setOpen(true)}>
            {sso.data ? t('sso.change') : t('sso.set')}
          </Button>
        </div>
      )}
      <Modal isOpen={isOpen} onClose={() => setOpen(false)} title={t('sso.title')}>
        {sso.isSuccess && <SsoForm sso={sso.data} onClose={() => setOpen(false)} />}
      </Modal>
    </Section>
  )
}

async function findSso(signal: AbortSignal): Promise<Sso | null> {
  try {
    return await client.sso.get({}, { signal })
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not_found') return null
    throw error
  }
}

function SsoForm({ sso, onClose }: { sso: Sso | null; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [issuer, setIssuer] = useState(sso?.issuer ?? '')
  const [clientId, setClientId] = useState(sso?.clientId ?? '')
  const [clientSecret, setClientSecret] = useState('')
  const [scopes, setScopes] = useState(sso?.scopes.join(', ') ?? 'email, profile')
  const [claim, setClaim] = useState(sso?.rolesClaim ?? '')
  const [map, setMap] = useState(writeMap(sso?.roles ?? {}))
  const [createsPeople, setCreates] = useState(sso?.createsPeople ?? false)
  const [isEnding, setEnding] = useState(false)
  const roles = readMap(map)
  const act = useMutation({
    mutationFn: (work: () => Promise<unknown>) => work(),
    onSuccess: onClose,
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['sso'] }),
  })
  const edited = useEdited({ shown: sso ?? undefined, load: () => client.sso.get() })
  const save = () =>
    edited.save((condition) =>
      client.sso.set(
        {
          ...{ issuer: issuer.trim(), clientId: clientId.trim(), scopes: listOf(scopes, ','), createsPeople: createsPeople && claim.trim() !== '' },
          ...{ rolesClaim: claim.trim() || null, roles: (claim.trim() && roles) || {} },
          ...(clientSecret && { clientSecret }),
        },
        condition,
      ),
    )
  const submit = (event: FormEvent) => {
    event.preventDefault()
    act.mutate(save)
  }
  const isFilled = issuer.trim() && clientId.trim() && (clientSecret || (sso?.issuer === issuer.trim() && sso.clientId === clientId.trim()))
  const why = !isFilled ? t('sso.fillIn') : claim.trim() && !roles ? t('sso.mapWrong') : undefined
  return (
    <form onSubmit={submit} className="mt-3 space-y-3">
      <TextField label={t('sso.issuer')} hint={t('sso.issuerHint')} type="url" autoFocus value={issuer} onText={setIssuer} />
      <TextField label={t('sso.clientId')} autoComplete="off" value={clientId} onText={setClientId} />
      <TextField
        label={t('sso.clientSecret')}
        {...(sso && { hint: t('sso.secretKept') })}
        type="password"
        autoComplete="off"
        value={clientSecret}
        onText={setClientSecret}
      />
      <TextField label={t('sso.scopes')} hint={t('sso.scopesHint')} value={scopes} onText={setScopes} />
      <TextField label={t('sso.claim')} hint={t('sso.claimHint')} value={claim} onText={setClaim} />
      {claim.trim() && (
        <>
          <label className="block text-sm font-medium">
            {t('sso.map')}
            <textarea
              rows={3}
              spellCheck={false}
              value={map}
              onChange={({ target }) => setMap(target.value)}
              className="mt-1.5 w-full rounded-md border border-line bg-surface px-3 py-2 font-mono text-sm"
            />
            <span className="text-xs font-normal text-ink-2">{t('sso.mapHint')}</span>
          </label>
          <label className="flex items-center gap-2 text-sm">
            <input type="checkbox" checked={createsPeople} onChange={({ target }) => setCreates(target.checked)} />
            {t('sso.creates')}
          </label>
        </>
      )}
      {edited.conflict}
      {act.isError && <RequestError error={act.error} />}
      <div className="flex justify-end gap-2">
        {sso && (
          <Button look="danger" isBusy={act.isPending} onClick={() => (isEnding ? act.mutate(() => client.sso.delete()) : setEnding(true))}>
            {isEnding ? t('sso.reallyEnd') : t('sso.end')}
          </Button>
        )}
        <Button onClick={onClose}>{t('people.cancel')}</Button>
        <Button type="submit" look="primary" isBusy={act.isPending} disabledBecause={why}>
          {t('people.save')}
        </Button>
      </div>
    </form>
  )
}

const listOf = (text: string, between: string): string[] =>
  text
    .split(between)
    .map((part) => part.trim())
    .filter(Boolean)

const writeMap = (roles: Sso['roles']): string =>
  Object.entries(roles)
    .map(([value, comesTo]) => `${value} = ${comesTo.join(', ')}`)
    .join('\n')

/** Undefined when a line cannot be read, or there is none. */
function readMap(text: string): Record<string, Role[]> | undefined {
  const lines = listOf(text, '\n').map((line) => {
    const at = line.lastIndexOf('=')
    const named = listOf(line.slice(at + 1), ',')
    const roles = roleNames.filter((role) => named.includes(role))
    return { value: line.slice(0, Math.max(0, at)).trim(), roles, isRight: at > 0 && roles.length > 0 && roles.length === new Set(named).size }
  })
  return lines.length > 0 && lines.every(({ isRight }) => isRight) ? Object.fromEntries(lines.map(({ value, roles }) => [value, roles])) : undefined
}
