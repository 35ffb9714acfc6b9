import type { MarketplaceVersion } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { Upload } from 'lucide-react'
import { useState } from 'react'
import { usePermission } from '../../../api/permissions.ts'
import { marketplaceQuery } from '../../../api/tools.ts'
import { useTexts } from '../../../i18n/index.ts'
import { patterns } from '../../../paths.ts'
import { Button } from '../../../ui/Button.tsx'
import { formatNumber } from '../../../ui/format.ts'
import { EmptyState } from '../../../ui/Notes.tsx'
import { StateIcon } from '../../../ui/State.tsx'
import type { Tone } from '../../../ui/State.tsx'
import { RowToggle } from '../../../ui/Table.tsx'
import { Guarded } from '../../Guarded.tsx'
import { Listing } from '../../Listing.tsx'
import { Ago } from '../../Moment.tsx'
import { PageHead } from '../../PageHead.tsx'
import { ToolTabs } from '../ToolTabs.tsx'
import { PublishDialog } from './PublishDialog.tsx'
import { VersionDetail, refOf } from './VersionDetail.tsx'

const tones: Record<MarketplaceVersion['state'], Tone> = { published: 'waiting', approved: 'usual', rejected: 'off', revoked: 'bad' }

/** Tool connections that the tenant's agents share: what was published, what became of it, and where it is installed. */
export function MarketplacePage() {
  const { t } = useTexts()
  const mayDeploy = usePermission('agents:deploy')
  const [isPublishing, setPublishing] = useState(false)
  return (
    <>
      <PageHead
        title={t('tools.title')}
        lead={t('marketplace.lead')}
        actions={
          <Button
            look="primary"
            disabledBecause={mayDeploy ? undefined : t('common.noPermission', { permission: 'agents:deploy' })}
            onClick={() => setPublishing(true)}
          >
            <Upload size={14} aria-hidden />
            {t('marketplace.publish')}
          </Button>
        }
      />
      <Guarded permission="agents:read">
        <ToolTabs />
        <Versions />
      </Guarded>
      {isPublishing && <PublishDialog onClose={() => setPublishing(false)} />}
    </>
  )
}

function Versions() {
  const { t, locale } = useTexts()
  const { open } = useSearch({ from: '/shell/tools/marketplace' })
  const navigate = useNavigate()
  const versions = useQuery(marketplaceQuery())
  return (
    <Listing<MarketplaceVersion>
      query={versions}
      label={t('marketplace.title')}
      rows={versions.data?.items}
      skeletonRows={3}
      idOf={refOf}
      detailOf={(version) => refOf(version) === open && <VersionDetail version={version} />}
      empty={<EmptyState title={t('marketplace.none')}>{t('marketplace.noneText')}</EmptyState>}
      columns={[
        {
          id: 'state',
          head: t('tools.state'),
          isHeadHidden: 'small',
          className: 'w-10 md:w-40',
          cell: ({ state }) => (
            <span className="flex items-center gap-2">
              <StateIcon tone={tones[state]} />
              <span className="sr-only md:not-sr-only">{t(`marketplace.states.${state}`)}</span>
            </span>
          ),
        },
        {
          id: 'entry',
          head: t('marketplace.entry'),
          className: 'md:w-48',
          cell: (version) => (
            <RowToggle
              id={refOf(version)}
              open={open}
              onOpen={(next) => void navigate({ to: patterns.marketplace, search: { open: next }, replace: true, resetScroll: false })}
            >
              {version.entry}
              <span className="text-ink-3">@{version.version}</span>
            </RowToggle>
          ),
        },
        {
          id: 'about',
          head: t('admin.description'),
          className: 'hidden md:table-cell',
          cell: ({ description }) => <span className="block truncate text-ink-2">{description}</span>,
        },
        { id: 'tools', head: t('marketplace.tools'), className: 'w-18', isRight: true, cell: ({ tools }) => formatNumber(tools.length, locale) },
        {
          id: 'installed',
          head: t('marketplace.installed'),
          className: 'hidden w-44 lg:table-cell',
          cell: ({ namespaces }) => <span className="block truncate text-ink-2">{namespaces.join(', ') || '–'}</span>,
        },
        {
          id: 'published',
          head: t('marketplace.published'),
          className: 'hidden w-28 sm:table-cell',
          isRight: true,
          cell: ({ publishedAt }) => (
            <span className="text-xs text-ink-3">
              <Ago at={publishedAt} />
            </span>
          ),
        },
      ]}
    />
  )
}
