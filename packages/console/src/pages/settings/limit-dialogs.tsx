import type { Limit } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useMay } from '../../api/permissions.ts'
import { agentsQuery } from '../../api/queries.ts'
import { namespacesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, SelectField } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { NumberField, toNumber } from './quota-parts.tsx'

/** A limit by what it holds for. */
export const scopeOf = ({ namespace, agent, laneKey }: Limit, all: string): string => [agent, namespace, laneKey].filter(Boolean).join(' / ') || all

async function loadLimit(id: string | undefined): Promise<Limit | undefined> {
  return (await client.limits.list({ limit: 200 })).items.find((each) => each.id === id)
}

/** A new limit, or other numbers for the scope of one. */
export function LimitSetDialog({ limit, onClose }: { limit?: Limit | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const written = (value: number | null | undefined) => (value === null || value === undefined ? '' : String(value))
  const [agent, setAgent] = useState(limit?.agent ?? '')
  const [namespace, setNamespace] = useState(limit?.namespace ?? '')
  const [laneKey, setLaneKey] = useState(limit?.laneKey ?? '')
  const [running, setRunning] = useState(written(limit?.runningMax))
  const [perSecond, setPerSecond] = useState(written(limit?.startsPerSecond))
  const [perMinute, setPerMinute] = useState(written(limit?.startsPerMinute))
  const [runningMax, startsPerSecond, startsPerMinute] = [running, perSecond, perMinute].map(toNumber)
  const numbers = [runningMax, startsPerSecond, startsPerMinute]
  const isEmpty = numbers.every((value) => value === undefined)
  return (
    <ActionDialog
      title={limit ? t('limits.limitTitle', { scope: scopeOf(limit, t('limits.all')) }) : t('limits.newLimit')}
      action={t('admin.save')}
      blockedBecause={numbers.some(Number.isNaN) ? t('limits.badNumber') : isEmpty ? t('limits.oneNumber') : undefined}
      changes={['limits']}
      edited={{ shown: limit, load: () => loadLimit(limit?.id) }}
      act={(condition) =>
        client.limits.set(
          {
            ...(agent && { agent }),
            ...(namespace && { namespace }),
            ...(laneKey.trim() && { laneKey: laneKey.trim() }),
            ...(runningMax !== undefined && { runningMax }),
            ...(startsPerSecond !== undefined && { startsPerSecond }),
            ...(startsPerMinute !== undefined && { startsPerMinute }),
          },
          condition,
        )
      }
      onClose={onClose}
    >
      {!limit && <Scope {...{ agent, setAgent, namespace, setNamespace, laneKey, setLaneKey }} />}
      <div className="grid gap-4 sm:grid-cols-3">
        <NumberField label={t('limits.running')} value={running} onChange={setRunning} isTried />
        <NumberField label={t('limits.perSecond')} value={perSecond} onChange={setPerSecond} isTried />
        <NumberField label={t('limits.perMinute')} value={perMinute} onChange={setPerMinute} isTried />
      </div>
      <p className="text-xs text-ink-3">{t('limits.numbersHint')}</p>
    </ActionDialog>
  )
}

type ScopeProps = Record<'agent' | 'namespace' | 'laneKey', string> & Record<'setAgent' | 'setNamespace' | 'setLaneKey', (text: string) => void>

function Scope({ agent, setAgent, namespace, setNamespace, laneKey, setLaneKey }: ScopeProps) {
  const { t } = useTexts()
  const may = useMay()
  const agents = useQuery({ ...agentsQuery(), enabled: may('agents:read') === true })
  const namespaces = useQuery({ ...namespacesQuery(), enabled: may('namespaces:read') === true })
  return (
    <>
      <div className="grid gap-4 sm:grid-cols-2">
        <Choice label={t('limits.agent')} value={agent} onChange={setAgent} names={agents.data?.items.map(({ name }) => name)} />
        <Choice label={t('limits.namespace')} value={namespace} onChange={setNamespace} names={namespaces.data?.items.map(({ name }) => name)} />
      </div>
      <Field label={t('limits.lane')} hint={t('limits.laneHint')}>
        {(ids) => <TextInput {...ids} maxLength={128} value={laneKey} placeholder={t('limits.all')} onChange={(event) => setLaneKey(event.target.value)} />}
      </Field>
    </>
  )
}

function Choice({ label, value, onChange, names = [] }: { label: string; value: string; onChange: (value: string) => void; names?: string[] | undefined }) {
  const { t } = useTexts()
  return (
    <Field label={label}>
      {(ids) => (
        <SelectField {...ids} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">{t('limits.all')}</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {name}
            </option>
          ))}
        </SelectField>
      )}
    </Field>
  )
}

export function LimitDeleteDialog({ limit, onClose }: { limit: Limit; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <ActionDialog
      title={t('limits.deleteLimitTitle', { scope: scopeOf(limit, t('limits.all')) })}
      action={t('limits.remove')}
      isDangerous
      changes={['limits']}
      act={() => client.limits.delete({ limitId: limit.id })}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('limits.deleteLimitText')}</p>
    </ActionDialog>
  )
}
