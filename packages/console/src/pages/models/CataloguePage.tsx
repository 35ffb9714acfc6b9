import type { CatalogueVersion } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { FileSearch, Undo2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { catalogueVersionsQuery } from '../../api/providers.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { formatCount } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { Tag } from '../../ui/State.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { PageHead } from '../PageHead.tsx'
import { CatalogueChanges } from './CatalogueChanges.tsx'
import { ModelTabs } from './ModelTabs.tsx'
import { ReadCatalogueDialog } from './ReadCatalogueDialog.tsx'
import type { ReadCatalogue } from './ReadCatalogueDialog.tsx'

/** Where prices and limits come from: reading a newer catalogue, seeing what it changes, letting it count, going back. */
export function CataloguePage() {
  const { t } = useTexts()
  const [isReading, setReading] = useState(false)
  const [read, setRead] = useState<ReadCatalogue>()
  const mayManage = usePermission('money:manage')
  return (
    <>
      <PageHead
        title={t('models.title')}
        lead={t('catalogue.lead')}
        actions={
          <Button
            look="primary"
            disabledBecause={mayManage ? undefined : t('common.noPermission', { permission: 'money:manage' })}
            onClick={() => setReading(true)}
          >
            <FileSearch size={14} aria-hidden />
            {t('catalogue.read')}
          </Button>
        }
      />
      <ModelTabs />
      <div className="space-y-8">
        {read && <CatalogueChanges read={read} onDone={() => setRead(undefined)} />}
        <Versions mayManage={mayManage} />
      </div>
      {isReading && <ReadCatalogueDialog onRead={setRead} onClose={() => setReading(false)} />}
    </>
  )
}

function Versions({ mayManage }: { mayManage: boolean }) {
  const { t, locale } = useTexts()
  const { cursor } = useSearch({ from: '/shell/models/catalogue' })
  const versions = useQuery(catalogueVersionsQuery(cursor))
  const [isGoingBack, setGoingBack] = useState(false)
  const hasApplied = versions.data?.items.some(({ isCurrent }) => isCurrent) ?? false
  const blocked = mayManage ? undefined : t('common.noPermission', { permission: 'money:manage' })
  return (
    <Section
      id="versions"
      title={t('catalogue.versions')}
      aside={
        hasApplied ? (
          <Button size="sm" disabledBecause={blocked} onClick={() => setGoingBack(true)}>
            <Undo2 size={13} aria-hidden />
            {t('catalogue.rollback')}
          </Button>
        ) : (
          versions.data && cursor === undefined && <span className="text-ink-3">{t('catalogue.ownCounts')}</span>
        )
      }
    >
      <Listing<CatalogueVersion>
        query={versions}
        label={t('catalogue.versions')}
        rows={versions.data?.items}
        skeletonRows={2}
        idOf={({ id }) => id}
        empty={<EmptyState title={t('catalogue.none')}>{t('catalogue.noneText')}</EmptyState>}
        newer={cursor && paths.catalogue()}
        older={versions.data?.next ? paths.catalogue({ cursor: versions.data.next }) : undefined}
        columns={[
          {
            id: 'source',
            head: t('catalogue.source'),
            cell: ({ source, isCurrent }) => (
              <span className="flex min-w-0 items-center gap-2">
                <span className="truncate font-medium" title={source}>
                  {source}
                </span>
                {isCurrent && <Tag tone="accent">{t('catalogue.isCurrent')}</Tag>}
              </span>
            ),
          },
          { id: 'readOn', head: t('catalogue.readOn'), className: 'w-28 max-sm:hidden', cell: ({ readOn }) => readOn },
          {
            id: 'changes',
            head: t('catalogue.changes'),
            isRight: true,
            className: 'w-24 max-md:hidden',
            cell: ({ changeCount }) => formatCount(changeCount, locale),
          },
          {
            id: 'by',
            head: t('catalogue.madeBy'),
            className: 'w-48 max-lg:hidden',
            cell: ({ madeBy, madeAt }) => (
              <span className="block truncate text-ink-2">
                {madeBy} · <Ago at={madeAt} />
              </span>
            ),
          },
          {
            id: 'applied',
            head: t('catalogue.applied'),
            className: 'w-36 md:w-52',
            cell: ({ appliedAt, appliedBy }) =>
              appliedAt === null ? (
                <span className="text-ink-3">{t('catalogue.onlyRead')}</span>
              ) : (
                <span className="block truncate text-ink-2">
                  {appliedBy} · <Ago at={appliedAt} />
                </span>
              ),
          },
        ]}
      />
      {isGoingBack && (
        <ActionDialog
          title={t('catalogue.rollbackTitle')}
          action={t('catalogue.rollback')}
          isDangerous
          changes={['catalogue', 'models']}
          act={() => client.models.rollback({})}
          onClose={() => setGoingBack(false)}
        >
          <p className="text-sm text-ink-2">{t('catalogue.rollbackText')}</p>
        </ActionDialog>
      )}
    </Section>
  )
}
