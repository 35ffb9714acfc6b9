import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { deploymentsQuery } from '../../api/agents.ts'
import { versionQuery } from '../../api/versions.ts'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { RecordTable } from './RecordTable.tsx'

/** Takes back the canary, or else the live version, with both records in sight. */
export function RollBackDialog({ agent, onClose }: { agent: string; onClose: () => void }) {
  const { t } = useTexts()
  const [reason, setReason] = useState('')
  const deployments = useQuery(deploymentsQuery(agent))
  const canary = deployments.data?.items.find(({ state }) => state === 'canary')
  const live = deployments.data?.items.find(({ state }) => state === 'live')
  const from = (canary ?? live)?.version
  const to = canary ? live?.version : live?.replaced
  const own = useQuery({ ...versionQuery(agent, from ?? ''), enabled: from !== undefined })
  const other = useQuery({ ...versionQuery(agent, to ?? ''), enabled: Boolean(to) })
  return (
    <ActionDialog
      title={t('agents.rollBackTitle', { agent })}
      action={t('agents.rollBack')}
      isDangerous
      size="lg"
      changes={['agents']}
      act={() => client.deployments.rollback({ agent, ...(reason.trim() ? { reason: reason.trim() } : {}) })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t(canary ? 'agents.rollBackCanary' : 'agents.rollBackLive', { from: from ?? '', to: to ?? '' })}</p>
      <RecordTable
        records={[
          { name: t('agents.takenBack'), record: own.data?.record },
          { name: t('agents.goesOn'), record: other.data?.record },
        ]}
      />
      <Field label={t('agents.reason')}>
        {(ids) => <TextInput {...ids} value={reason} maxLength={1_000} onChange={(event) => setReason(event.target.value)} />}
      </Field>
    </ActionDialog>
  )
}
