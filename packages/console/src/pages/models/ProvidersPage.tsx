import type { ModelProvider } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Pencil, Plus, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { providersQuery } from '../../api/providers.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { Guarded } from '../Guarded.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { ModelTabs } from './ModelTabs.tsx'
import { ProviderDialog } from './ProviderDialog.tsx'

type Asking = { what: 'set' | 'remove'; provider: ModelProvider }

/** Whom the tenant asks with keys of its own. */
export function ProvidersPage() {
  const { t } = useTexts()
  const may = useMay()
  const blocked = usePermission('secrets:manage') ? undefined : t('common.noPermission', { permission: 'secrets:manage' })
  const [isAdding, setAdding] = useState(false)
  return (
    <>
      <PageHead
        title={t('models.title')}
        lead={t('providers.lead')}
        actions={
          may('models:call') && (
            <Button look="primary" disabledBecause={blocked} onClick={() => setAdding(true)}>
              <Plus size={14} aria-hidden />
              {t('providers.add')}
            </Button>
          )
        }
      />
      <ModelTabs />
      <Guarded permission="models:call">
        <Providers />
      </Guarded>
      {isAdding && <ProviderDialog onClose={() => setAdding(false)} />}
    </>
  )
}

function Providers() {
  const { t } = useTexts()
  const providers = useQuery(providersQuery())
  const mayManage = usePermission('secrets:manage')
  const blocked = mayManage ? undefined : t('common.noPermission', { permission: 'secrets:manage' })
  const [asking, setAsking] = useState<Asking>()
  const close = () => setAsking(undefined)
  return (
    <>
      <Listing<ModelProvider>
        query={providers}
        label={t('providers.title')}
        rows={providers.data?.items}
        skeletonRows={2}
        idOf={({ name }) => name}
        empty={<EmptyState title={t('providers.empty')}>{t('providers.emptyText')}</EmptyState>}
        columns={[
          {
            id: 'name',
            head: t('providers.name'),
            className: 'sm:w-44',
            cell: ({ name, problem }) => (
              <span className="flex min-w-0 items-center gap-2">
                <StateIcon tone={problem === null ? 'good' : 'bad'} />
                <span className="sr-only">{problem === null ? t('providers.works') : t('providers.problem', { problem })}</span>
                <span className="truncate font-medium">{name}</span>
              </span>
            ),
          },
          {
            id: 'secrets',
            head: t('providers.secrets'),
            cell: ({ secrets, problem }) =>
              problem === null ? (
                <code className="block truncate text-xs">{secrets.join(', ')}</code>
              ) : (
                <span className="block text-bad sm:truncate" title={problem}>
                  {problem}
                </span>
              ),
          },
          {
            id: 'address',
            head: t('providers.baseUrl'),
            className: 'w-56 max-lg:hidden',
            cell: ({ baseUrl, awsRegion }) => <span className="block truncate text-ink-2">{baseUrl ?? awsRegion ?? t('providers.ownAddress')}</span>,
          },
          {
            id: 'by',
            head: t('providers.setBy'),
            className: 'w-48 max-md:hidden',
            cell: ({ setBy, setAt }) => (
              <span className="block truncate text-ink-2">
                {setBy} · <Ago at={setAt} />
              </span>
            ),
          },
          {
            id: 'actions',
            head: t('admin.actions'),
            isHeadHidden: true,
            isRight: true,
            className: 'w-20',
            cell: (provider) => (
              <span className="inline-flex">
                <IconButton
                  size="sm"
                  label={t('providers.changeTitle', { name: provider.name })}
                  disabledBecause={blocked}
                  onClick={() => setAsking({ what: 'set', provider })}
                >
                  <Pencil size={14} aria-hidden />
                </IconButton>
                <IconButton
                  size="sm"
                  label={t('providers.removeTitle', { name: provider.name })}
                  disabledBecause={blocked}
                  onClick={() => setAsking({ what: 'remove', provider })}
                >
                  <Trash2 size={14} aria-hidden />
                </IconButton>
              </span>
            ),
          },
        ]}
      />
      {asking?.what === 'set' && <ProviderDialog provider={asking.provider} onClose={close} />}
      {asking?.what === 'remove' && <RemoveDialog name={asking.provider.name} onClose={close} />}
    </>
  )
}

function RemoveDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <ActionDialog
      title={t('providers.removeTitle', { name })}
      action={t('providers.remove')}
      isDangerous
      changes={['providers', 'system']}
      act={() => client.providers.delete({ name })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('providers.removeText')}</p>
    </ActionDialog>
  )
}
