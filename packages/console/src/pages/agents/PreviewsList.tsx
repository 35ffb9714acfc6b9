import type { Preview } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { previewsQuery } from '../../api/versions.ts'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'

/** Versions that runs are started on by name, beside the live one. */
export function PreviewsList({ agent }: { agent: string }) {
  const { t } = useTexts()
  const previews = useQuery(previewsQuery(agent))
  const mayDeploy = usePermission('agents:deploy')
  const [leaving, setLeaving] = useState<string>()
  return (
    <Section id="previews" title={t('agents.previews')}>
      <Listing<Preview>
        label={t('agents.previews')}
        query={previews}
        rows={previews.data?.items}
        idOf={({ name }) => name}
        empty={<EmptyState title={t('agents.noPreviews')}>{t('agents.noPreviewsText')}</EmptyState>}
        columns={[
          { id: 'name', head: t('agents.preview'), cell: ({ name }) => <span className="block truncate font-medium">{name}</span> },
          { id: 'version', head: t('agents.version'), className: 'w-32 max-sm:hidden', cell: ({ version }) => <code className="text-xs">{version}</code> },
          {
            id: 'commit',
            head: t('agents.commit'),
            className: 'w-28 max-lg:hidden',
            cell: ({ source }) => (source.commit ? <code className="text-xs">{source.commit.slice(0, 9)}</code> : '–'),
          },
          {
            id: 'by',
            head: t('agents.by'),
            className: 'w-36 max-lg:hidden',
            cell: ({ madeBy }) => <span className="block truncate text-ink-2">{madeBy}</span>,
          },
          {
            id: 'until',
            head: t('agents.until'),
            className: 'w-40 max-sm:hidden',
            cell: ({ expiresAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={expiresAt} />
              </span>
            ),
          },
          {
            id: 'actions',
            head: t('agents.actions'),
            isHeadHidden: true,
            isRight: true,
            className: 'w-40',
            cell: ({ name }) => (
              <span className="flex justify-end gap-2">
                <AppLink href={paths.chat({ agent, preview: name })} className={buttonClass('secondary', 'sm')}>
                  {t('agents.tryIt')}
                </AppLink>
                <Button
                  size="sm"
                  disabledBecause={mayDeploy ? undefined : t('common.noPermission', { permission: 'agents:deploy' })}
                  onClick={() => setLeaving(name)}
                >
                  {t('agents.forget')}
                </Button>
              </span>
            ),
          },
        ]}
      />
      {leaving !== undefined && (
        <ActionDialog
          title={t('agents.forgetTitle', { name: leaving })}
          action={t('agents.forget')}
          isDangerous
          changes={['agents']}
          act={() => client.previews.delete({ agent, name: leaving })}
          onClose={() => setLeaving(undefined)}
        >
          <p className="text-sm text-ink-2">{t('agents.forgetText')}</p>
        </ActionDialog>
      )}
    </Section>
  )
}
