import { ConnectionName } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { agentsQuery } from '../../../api/queries.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Field, SelectField } from '../../../ui/Field.tsx'
import { TextInput } from '../../../ui/Fields.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'

/** Which connection of which agent, under what name, and what for. */
export function PublishDialog({ onClose }: { onClose: () => void }) {
  const { t } = useTexts()
  const agents = useQuery(agentsQuery())
  // A program of an agent's folder goes nowhere without that folder, and what is from the marketplace is in it already.
  const choices = (agents.data?.items ?? []).flatMap(({ name: agent, manifest }) =>
    (manifest?.connections ?? [])
      .filter(({ connection: { kind } }) => kind === 'mcp' || kind === 'openapi')
      .map(({ name }) => ({ agent, connection: name, label: `${agent} · ${name}` })),
  )
  const [label, setLabel] = useState<string>()
  const [name, setName] = useState<string>()
  const [description, setDescription] = useState('')
  const chosen = choices.find((one) => one.label === label) ?? choices[0]
  const entry = name ?? chosen?.connection ?? ''
  const wrongName = ConnectionName.safeParse(entry).success ? undefined : t('marketplace.entryWrong')
  const missing = description.trim() === '' ? t('marketplace.aboutMissing') : undefined
  return (
    <ActionDialog
      title={t('marketplace.publish')}
      action={t('marketplace.publishAction')}
      blockedBecause={chosen ? (wrongName ?? missing) : t('marketplace.noConnections')}
      changes={['marketplace']}
      act={async () => chosen && client.marketplace.publish({ entry, agent: chosen.agent, connection: chosen.connection, description: description.trim() })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{choices.length > 0 || !agents.data ? t('marketplace.publishText') : t('marketplace.noConnections')}</p>
      <Field label={t('marketplace.connection')}>
        {(ids) => (
          <SelectField {...ids} value={chosen?.label ?? ''} onChange={(event) => setLabel(event.target.value)}>
            {choices.map((one) => (
              <option key={one.label} value={one.label}>
                {one.label}
              </option>
            ))}
          </SelectField>
        )}
      </Field>
      <Field label={t('marketplace.entry')} hint={t('marketplace.entryHint')} error={entry === '' ? undefined : wrongName}>
        {(ids) => <TextInput {...ids} maxLength={32} spellCheck={false} value={entry} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label={t('admin.description')}>
        {(ids) => <TextInput {...ids} maxLength={2_000} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
    </ActionDialog>
  )
}
