import type { ApiKey } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { systemQuery } from '../../api/queries.ts'
import { keysQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { formatDuration } from '../../ui/format.ts'
import { Field, SelectField } from '../../ui/Field.tsx'
import { FormDialog } from '../FormDialog.tsx'

const hourMs = 3_600_000
const overlaps = [0, hourMs, 24 * hourMs, 7 * 24 * hourMs, 30 * 24 * hourMs]

type Props = { apiKey: ApiKey; onClose: () => void }

export function KeyRotateDialog({ apiKey, onMade, onClose }: Props & { onMade: (made: { name: string; secret: string; note: string }) => void }) {
  const { t, locale } = useTexts()
  const queryClient = useQueryClient()
  const [overlapMs, setOverlapMs] = useState(24 * hourMs)
  const overlap = (ms: number) => (ms === 0 ? t('keys.atOnce') : formatDuration(ms, locale))
  const rotate = useMutation({
    mutationFn: () => client.keys.rotate({ keyId: apiKey.id, overlapMs }),
    onSuccess: ({ name, secret }) => {
      void queryClient.invalidateQueries({ queryKey: keysQuery().queryKey })
      onMade({ name, secret, note: overlapMs === 0 ? t('keys.oldEnded') : t('keys.oldGoesOn', { time: overlap(overlapMs) }) })
    },
  })
  return (
    <FormDialog
      title={t('keys.rotateTitle', { name: apiKey.name })}
      action={t('keys.rotate')}
      isBusy={rotate.isPending}
      error={rotate.error}
      onSubmit={() => rotate.mutate()}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('keys.rotateText')}</p>
      <Field label={t('keys.overlap')} hint={t('keys.overlapHint')}>
        {(ids) => (
          <SelectField {...ids} value={overlapMs} onChange={(event) => setOverlapMs(Number(event.target.value))}>
            {overlaps.map((ms) => (
              <option key={ms} value={ms}>
                {overlap(ms)}
              </option>
            ))}
          </SelectField>
        )}
      </Field>
    </FormDialog>
  )
}

export function KeyRevokeDialog({ apiKey, onClose }: Props) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const { data: system } = useQuery(systemQuery())
  const isOwn = system?.caller.id === apiKey.id
  const revoke = useMutation({
    mutationFn: () => client.keys.delete({ keyId: apiKey.id }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: isOwn ? systemQuery().queryKey : keysQuery().queryKey })
      onClose()
    },
  })
  return (
    <FormDialog
      title={t('keys.revokeTitle', { name: apiKey.name })}
      action={t('keys.revoke')}
      isDangerous
      isBusy={revoke.isPending}
      error={revoke.error}
      onSubmit={() => revoke.mutate()}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('keys.revokeText')}</p>
      {isOwn && <p className="font-medium text-bad">{t('keys.revokeOwn')}</p>}
    </FormDialog>
  )
}
