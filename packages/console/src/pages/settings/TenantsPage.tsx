import { Name } from '@longhaul/protocol'
import type { Tenant } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Pencil, Plus } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { tenantQuery, tenantsQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { Check, Field } from '../../ui/Field.tsx'
import { Select, TextInput } from '../../ui/Fields.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import type { Column } from '../../ui/Table.tsx'
import { FormDialog } from '../FormDialog.tsx'
import { useEdited } from '../use-edited.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { Meter, QuotaFields, StorageMeter, toQuotaTexts, toQuotas } from './quota-parts.tsx'
import { KeyOnce } from './SecretOnce.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

type Made = { name: string; secret: string }

export function TenantsPage() {
  const { t } = useTexts()
  const [asking, setAsking] = useState<{ tenant?: Tenant }>()
  const [made, setMade] = useState<Made>()
  return (
    <SettingsFrame
      section="tenants"
      lead={t('tenants.lead')}
      actions={
        <Button look="primary" onClick={() => setAsking({})}>
          <Plus size={14} aria-hidden />
          {t('tenants.create')}
        </Button>
      }
    >
      <TenantTable onEdit={(tenant) => setAsking({ tenant })} />
      {asking && <TenantDialog tenant={asking.tenant} onMade={setMade} onClose={() => setAsking(undefined)} />}
      {made && <KeyOnce title={t('tenants.made', { name: made.name })} secret={made.secret} note={t('tenants.madeNote')} onClose={() => setMade(undefined)} />}
    </SettingsFrame>
  )
}

function TenantTable({ onEdit }: { onEdit: (tenant: Tenant) => void }) {
  const { t } = useTexts()
  const { cursor } = useSearch({ from: '/shell/settings/tenants' })
  const tenants = useQuery(tenantsQuery(cursor))
  const columns: Column<Tenant>[] = [
    {
      id: 'name',
      head: t('tenants.name'),
      cell: ({ id, description, isSuspended }) => (
        <span className="flex min-w-0 items-center gap-2">
          <span className="truncate font-medium" title={description}>
            {id}
          </span>
          {isSuspended && <Tag tone="warn">{t('tenants.suspended')}</Tag>}
        </span>
      ),
    },
    { id: 'runs', head: t('limits.inFlight'), className: 'w-28', isRight: true, cell: (tenant) => <Used tenant={tenant} of="runs" /> },
    {
      id: 'starts',
      head: t('limits.startsLastMinute'),
      className: 'hidden w-40 md:table-cell',
      isRight: true,
      cell: (tenant) => <Used tenant={tenant} of="starts" />,
    },
    {
      id: 'storage',
      head: t('limits.storage'),
      className: 'hidden w-36 sm:table-cell',
      isRight: true,
      cell: (tenant) => <Used tenant={tenant} of="storage" />,
    },
    {
      id: 'images',
      head: t('limits.imageStorage'),
      className: 'hidden w-36 lg:table-cell',
      isRight: true,
      cell: (tenant) => <Used tenant={tenant} of="images" />,
    },
    {
      id: 'created',
      head: t('tenants.created'),
      className: 'hidden w-28 lg:table-cell',
      isRight: true,
      cell: ({ createdAt }) => (
        <span className="text-xs text-ink-3">
          <Ago at={createdAt} />
        </span>
      ),
    },
    {
      id: 'actions',
      head: t('admin.actions'),
      isHeadHidden: true,
      className: 'w-12',
      isRight: true,
      cell: (tenant) => (
        <IconButton size="sm" label={t('tenants.edit', { name: tenant.id })} onClick={() => onEdit(tenant)}>
          <Pencil size={14} aria-hidden />
        </IconButton>
      ),
    },
  ]
  return (
    <Listing
      query={tenants}
      label={t('admin.section.tenants')}
      columns={columns}
      rows={tenants.data?.items}
      idOf={({ id }) => id}
      empty={<EmptyState title={t('tenants.empty')} />}
      newer={cursor && paths.tenants()}
      older={tenants.data?.next ? paths.tenants({ cursor: tenants.data.next }) : undefined}
    />
  )
}

/** What a tenant uses is asked tenant by tenant; until it is known, its quota stands alone. */
function Used({ tenant: { id, quotas }, of }: { tenant: Tenant; of: 'runs' | 'starts' | 'storage' | 'images' }) {
  const consumption = useQuery(tenantQuery(id)).data?.consumption
  if (of === 'storage') return <StorageMeter used={consumption?.storageBytes ?? 0} max={quotas.storageBytesMax} />
  if (of === 'images') return <StorageMeter used={consumption?.imageBytes ?? 0} max={quotas.imageBytesMax} />
  if (of === 'runs') return <Meter used={consumption?.runsInFlight ?? 0} max={quotas.runsInFlightMax} />
  return <Meter used={consumption?.startsInLastMinute ?? 0} max={quotas.startsPerMinuteMax} />
}

const sharings = ['default', 'allow', 'deny'] as const
function sharingOf(tenant: Tenant | undefined): (typeof sharings)[number] {
  const { sharedKernel } = tenant?.sandboxPolicy ?? {}
  return sharedKernel === undefined ? 'default' : sharedKernel ? 'allow' : 'deny'
}

function TenantDialog({ tenant, onMade, onClose }: { tenant?: Tenant | undefined; onMade: (made: Made) => void; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [id, setId] = useState(tenant?.id ?? '')
  const [description, setDescription] = useState(tenant?.description ?? '')
  const [isSuspended, setSuspended] = useState(tenant?.isSuspended ?? false)
  const [texts, setTexts] = useState(toQuotaTexts(tenant?.quotas ?? {}))
  const [sharing, setSharing] = useState(sharingOf(tenant))
  const [isTried, setTried] = useState(false)
  const { sharedKernel: _, ...policy } = tenant?.sandboxPolicy ?? {}
  const sandboxPolicy = { ...policy, ...(sharing !== 'default' && { sharedKernel: sharing === 'allow' }) }
  const quotas = toQuotas(texts)
  const wrongName = Name.safeParse(id).success ? undefined : t('admin.badName')
  const edited = useEdited({ shown: tenant, load: () => client.tenants.get({ id }) })
  const save = useMutation({
    async mutationFn() {
      if (tenant)
        return void (await edited.save((condition) =>
          client.tenants.update({ id, description, isSuspended, sandboxPolicy, ...(quotas && { quotas }) }, condition),
        ))
      const { key } = await client.tenants.create({ id, description, sandboxPolicy, ...(quotas && { quotas }) })
      onMade({ name: id, secret: key.secret })
    },
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['tenants'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={tenant ? t('tenants.editTitle', { name: tenant.id }) : t('tenants.create')}
      action={t('admin.save')}
      isBusy={save.isPending}
      error={save.error}
      onSubmit={() => {
        setTried(true)
        if (wrongName === undefined && quotas) save.mutate()
      }}
      onClose={onClose}
    >
      {!tenant && (
        <Field label={t('tenants.name')} error={isTried ? wrongName : undefined}>
          {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={id} onChange={(event) => setId(event.target.value)} />}
        </Field>
      )}
      <Field label={t('admin.description')} hint={t('admin.optional')}>
        {(ids) => <TextInput {...ids} maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      <QuotaFields quotas={texts} onChange={setTexts} isTried={isTried} hasStorage />
      <div className="space-y-1">
        <p className="text-sm font-medium">{t('tenants.sharing')}</p>
        <Select
          label={t('tenants.sharing')}
          value={sharing}
          onChange={setSharing}
          options={sharings.map((value) => ({ value, label: t(`tenants.sharings.${value}`) }))}
        />
        <p className="text-xs text-ink-3">{t('tenants.sharingText')}</p>
      </div>
      {tenant && (
        <>
          <Check label={t('tenants.suspend')} isChecked={isSuspended} onChange={setSuspended} />
          {isSuspended && <p className="text-xs text-ink-3">{t('tenants.suspendText')}</p>}
        </>
      )}
      {edited.conflict}
    </FormDialog>
  )
}
