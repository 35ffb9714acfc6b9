import { Name, permissions, roleNames, roles } from '@longhaul/protocol'
import type { Permission, Role } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { serverNow } from '../../api/connection.ts'
import { useMay } from '../../api/permissions.ts'
import { agentsQuery } from '../../api/queries.ts'
import { keysQuery, namespacesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Check, CheckList, Field, FieldSet, RadioList, SelectField } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { FormDialog } from '../FormDialog.tsx'

const days = [7, 30, 90, 365, 0]

export function KeyCreateDialog({ onMade, onClose }: { onMade: (made: { name: string; secret: string }) => void; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const may = useMay()
  const [name, setName] = useState('')
  const [role, setRole] = useState<Role | 'custom'>('viewer')
  const [chosen, setChosen] = useState<Permission[]>([])
  const [agents, setAgents] = useState<string[]>([])
  const [namespaces, setNamespaces] = useState<string[]>([])
  const [expiresInDays, setExpiresInDays] = useState(90)
  const [regions, setRegions] = useState('')
  const [personalData, setPersonalData] = useState(true)
  const [isTried, setTried] = useState(false)
  const wrongName = Name.safeParse(name).success ? undefined : t('admin.badName')
  const regionList = regions.split(/[,\s，、]+/).filter(Boolean)
  const create = useMutation({
    mutationFn: () =>
      client.keys.create({
        name,
        ...(role === 'custom' ? { permissions: chosen } : { role }),
        ...(agents.length > 0 && { agents }),
        ...(namespaces.length > 0 && { namespaces }),
        ...(expiresInDays > 0 && { expiresAt: new Date(serverNow() + expiresInDays * 86_400_000).toISOString() }),
        access: { personalData, ...(regionList.length > 0 && { regions: regionList }) },
      }),
    onSuccess: (made) => {
      void queryClient.invalidateQueries({ queryKey: keysQuery().queryKey })
      onMade(made)
    },
  })
  // Nobody passes on more than they have; what the visitor lacks cannot be chosen, and says so.
  const lacking = (needed: readonly Permission[]) => {
    const missing = needed.filter((permission) => !may(permission))
    return missing.length > 0 ? t('keys.youLack', { permissions: missing.join(', ') }) : undefined
  }
  return (
    <FormDialog
      title={t('keys.createTitle')}
      action={t('keys.create')}
      size="lg"
      isBusy={create.isPending}
      error={create.error}
      blockedBecause={role === 'custom' && chosen.length === 0 ? t('keys.chooseFirst') : undefined}
      onSubmit={() => {
        setTried(true)
        if (wrongName === undefined) create.mutate()
      }}
      onClose={onClose}
    >
      <Field label={t('keys.name')} hint={t('keys.nameHint')} error={isTried ? wrongName : undefined}>
        {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <FieldSet label={t('keys.roleLabel')}>
        <RadioList
          name="role"
          value={role}
          onChange={setRole}
          choices={[
            ...roleNames.map((value) => ({
              value,
              label: t(`keys.role.${value}`),
              text: t(`keys.roleText.${value}`),
              blockedBecause: lacking(roles[value]),
            })),
            { value: 'custom' as const, label: t('keys.custom'), text: t('keys.customText') },
          ]}
        />
      </FieldSet>
      {role === 'custom' && (
        <FieldSet label={t('keys.permissionsLabel')}>
          <CheckList
            isMono
            values={chosen}
            onChange={setChosen}
            choices={permissions.map((value) => ({ value, label: value, blockedBecause: lacking([value]) }))}
          />
        </FieldSet>
      )}
      <Reach agents={agents} setAgents={setAgents} namespaces={namespaces} setNamespaces={setNamespaces} />
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('keys.expires')} hint={expiresInDays === 0 ? t('keys.noEndHint') : undefined}>
          {(ids) => (
            <SelectField {...ids} value={expiresInDays} onChange={(event) => setExpiresInDays(Number(event.target.value))}>
              {days.map((count) => (
                <option key={count} value={count}>
                  {count === 0 ? t('keys.noEnd') : t('keys.inDays', { count })}
                </option>
              ))}
            </SelectField>
          )}
        </Field>
        <Field label={t('keys.regions')} hint={t('keys.regionsHint')}>
          {(ids) => <TextInput {...ids} value={regions} placeholder={t('keys.allRegions')} onChange={(event) => setRegions(event.target.value)} />}
        </Field>
      </div>
      <Check label={t('keys.personalData')} isChecked={personalData} onChange={setPersonalData} />
    </FormDialog>
  )
}

type ReachProps = { agents: string[]; setAgents: (names: string[]) => void; namespaces: string[]; setNamespaces: (names: string[]) => void }

function Reach({ agents, setAgents, namespaces, setNamespaces }: ReachProps) {
  const { t } = useTexts()
  const may = useMay()
  const known = useQuery({ ...agentsQuery(), enabled: may('agents:read') === true })
  const spaces = useQuery({ ...namespacesQuery(), enabled: may('namespaces:read') === true })
  const choices = (names: string[]) => names.map((value) => ({ value, label: value }))
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <FieldSet label={t('keys.agents')} hint={t('keys.agentsHint')}>
        <CheckList values={agents} onChange={setAgents} choices={choices(known.data?.items.map((agent) => agent.name) ?? [])} />
      </FieldSet>
      <FieldSet label={t('keys.namespaces')} hint={t('keys.namespacesHint')}>
        <CheckList values={namespaces} onChange={setNamespaces} choices={choices(spaces.data?.items.map((space) => space.name) ?? [])} />
      </FieldSet>
    </div>
  )
}
