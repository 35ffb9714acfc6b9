import type { Version } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { versionsQuery } from '../../api/agents.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon, Tag } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { agentTones } from './agent-facts.ts'
import { DeployDialog } from './DeployDialog.tsx'

export function VersionsList({ agent }: { agent: string }) {
  const { t } = useTexts()
  const versions = useQuery(versionsQuery(agent))
  const mayDeploy = usePermission('agents:deploy')
  const [chosen, setChosen] = useState<string>()
  const live = versions.data?.items.find(({ deployment }) => deployment === 'live')
  const blocked = ({ status, deployment }: Version) =>
    !mayDeploy
      ? t('common.noPermission', { permission: 'agents:deploy' })
      : status === 'broken'
        ? t('agents.brokenVersion')
        : deployment === 'live'
          ? t('agents.isLive')
          : undefined
  return (
    <Section id="versions" title={t('agents.versions')}>
      <Listing<Version>
        label={t('agents.versions')}
        query={versions}
        rows={versions.data?.items}
        idOf={({ version }) => version}
        empty={<EmptyState title={t('agents.noVersions')}>{t('agents.noVersionsText')}</EmptyState>}
        columns={[
          {
            id: 'version',
            head: t('agents.version'),
            cell: ({ version, status, deployment, share }) => (
              <span className="flex min-w-0 items-center gap-2">
                <StateIcon tone={agentTones[status]} />
                <span className="sr-only">{t(`home.${status}`)}</span>
                <code className="truncate text-xs">{version}</code>
                {deployment && <Tag tone={deployment === 'canary' ? 'accent' : 'plain'}>{`${t(`agents.states.${deployment}`)} ${share} %`}</Tag>}
              </span>
            ),
          },
          {
            id: 'problem',
            head: t('agents.problem'),
            className: 'max-lg:hidden',
            cell: ({ problem }) => <span className="block truncate text-xs text-bad">{problem?.split('\n')[0]}</span>,
          },
          {
            id: 'active',
            head: t('agents.active'),
            isRight: true,
            className: 'w-24 max-sm:hidden',
            cell: ({ activeRunCount }) => activeRunCount,
          },
          {
            id: 'created',
            head: t('agents.uploaded'),
            isRight: true,
            className: 'w-28 max-sm:hidden',
            cell: ({ createdAt }) => (
              <span className="text-xs text-ink-3">
                <Ago at={createdAt} />
              </span>
            ),
          },
          {
            id: 'actions',
            head: t('agents.actions'),
            isHeadHidden: true,
            isRight: true,
            className: 'w-24 sm:w-48',
            cell: (version) => (
              <span className="inline-flex items-center gap-3">
                {live && live.version !== version.version && (
                  <AppLink
                    href={paths.agentDiff(agent, { from: live.version, to: version.version })}
                    className="hidden rounded-sm text-xs text-accent hover:underline sm:inline"
                  >
                    {t('agents.compare')}
                  </AppLink>
                )}
                <Button size="sm" disabledBecause={blocked(version)} onClick={() => setChosen(version.version)}>
                  {t('agents.deploy')}
                </Button>
              </span>
            ),
          },
        ]}
      />
      {chosen && <DeployDialog agent={agent} version={chosen} onClose={() => setChosen(undefined)} />}
    </Section>
  )
}
