import type { CanarySubjects, Version } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Undo2 } from 'lucide-react'
import { useState } from 'react'
import { deploymentsQuery, versionsQuery } from '../../api/agents.ts'
import { versionQuery } from '../../api/versions.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Skeleton } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { AppLink } from '../AppLink.tsx'
import { DeployDialog } from './DeployDialog.tsx'
import { RecordTable } from './RecordTable.tsx'
import { RollBackDialog } from './RollBackDialog.tsx'

/** Which versions new runs get, how each fares, and the next move. */
export function Traffic({ agent }: { agent: string }) {
  const { t } = useTexts()
  const versions = useQuery(versionsQuery(agent))
  const deployments = useQuery(deploymentsQuery(agent))
  const mayDeploy = usePermission('agents:deploy')
  const [open, setOpen] = useState<'promote' | 'weight' | 'back'>()
  const live = versions.data?.items.find(({ deployment }) => deployment === 'live')
  const canary = versions.data?.items.find(({ deployment }) => deployment === 'canary')
  const tried = deployments.data?.items.find(({ state }) => state === 'canary')
  const isReplacing = deployments.data?.items.some(({ state, replaced }) => state === 'live' && replaced !== null) ?? false
  const lacking = mayDeploy ? undefined : t('common.noPermission', { permission: 'agents:deploy' })
  const noWayBack = lacking ?? (canary || isReplacing ? undefined : t('agents.noWayBack'))
  return (
    <Section
      id="traffic"
      title={t('agents.traffic')}
      aside={
        <>
          {canary && (
            <>
              <Button size="sm" disabledBecause={lacking} onClick={() => setOpen('weight')}>
                {t('agents.weight')}
              </Button>
              <Button size="sm" look="primary" disabledBecause={lacking} onClick={() => setOpen('promote')}>
                {t('agents.promote')}
              </Button>
            </>
          )}
          <Button size="sm" look="danger" disabledBecause={noWayBack} onClick={() => setOpen('back')}>
            <Undo2 size={13} aria-hidden />
            {t('agents.rollBack')}
          </Button>
        </>
      }
    >
      {versions.isPending ? (
        <Skeleton className="h-24" />
      ) : (
        <div className="space-y-3">
          <Shares live={live} canary={canary} />
          {canary && <Named subjects={tried?.canarySubjects ?? null} />}
          <Records agent={agent} live={live} canary={canary} />
          {live && canary && (
            <AppLink
              href={paths.agentDiff(agent, { from: live.version, to: canary.version })}
              className="inline-block rounded-sm text-sm text-accent hover:underline"
            >
              {t('agents.compareCanary')}
            </AppLink>
          )}
        </div>
      )}
      {open === 'promote' && canary && <DeployDialog agent={agent} version={canary.version} onClose={() => setOpen(undefined)} />}
      {open === 'weight' && canary && (
        <DeployDialog
          agent={agent}
          version={canary.version}
          share={canary.share ?? 10}
          subjects={tried?.canarySubjects ?? null}
          onClose={() => setOpen(undefined)}
        />
      )}
      {open === 'back' && <RollBackDialog agent={agent} onClose={() => setOpen(undefined)} />}
    </Section>
  )
}

/** A line as long as all new runs, divided as they are. */
function Shares({ live, canary }: { live: Version | undefined; canary: Version | undefined }) {
  const { t } = useTexts()
  const shares = [
    ...(live ? [{ version: live.version, share: live.share ?? 100, name: t('agents.states.live'), ink: 'bg-ink-3' }] : []),
    ...(canary ? [{ version: canary.version, share: canary.share ?? 0, name: t('agents.states.canary'), ink: 'bg-accent' }] : []),
  ]
  if (shares.length === 0) return <p className="text-sm text-ink-3">{t('agents.nothingLive')}</p>
  return (
    <div>
      <div aria-hidden className="flex h-2 gap-0.5 overflow-hidden rounded-sm">
        {shares.map(({ version, share, ink }) => (
          <div key={version} className={`${ink} transition-[width]`} style={{ width: `${share}%` }} />
        ))}
      </div>
      <ul className="mt-1.5 flex flex-wrap gap-x-6 gap-y-1 text-sm">
        {shares.map(({ version, share, name, ink }) => (
          <li key={version} className="flex items-center gap-2">
            <span aria-hidden className={`size-2 rounded-sm ${ink}`} />
            <span className="font-medium">{share} %</span>
            <span>{name}</span>
            <code className="text-xs text-ink-3">{version}</code>
          </li>
        ))}
      </ul>
    </div>
  )
}

/** Who gets the canary, or does not, whatever its share. */
function Named({ subjects }: { subjects: CanarySubjects | null }) {
  const { t } = useTexts()
  const { always = [], never = [] } = subjects ?? {}
  return (
    <>
      {always.length > 0 && <p className="text-sm break-words text-ink-2">{t('agents.canaryAlways', { subjects: always.join(', ') })}</p>}
      {never.length > 0 && <p className="text-sm break-words text-ink-2">{t('agents.canaryNever', { subjects: never.join(', ') })}</p>}
    </>
  )
}

function Records({ agent, live, canary }: { agent: string; live: Version | undefined; canary: Version | undefined }) {
  const { t } = useTexts()
  const ofLive = useQuery({ ...versionQuery(agent, live?.version ?? ''), enabled: live !== undefined })
  const ofCanary = useQuery({ ...versionQuery(agent, canary?.version ?? ''), enabled: canary !== undefined })
  const share = (record: { runCount: number; failedCount: number } | undefined) => (record && record.runCount > 0 ? record.failedCount / record.runCount : 0)
  if (!live) return null
  return (
    <RecordTable
      records={[
        { name: t('agents.states.live'), record: ofLive.data?.record },
        ...(canary
          ? [{ name: t('agents.states.canary'), record: ofCanary.data?.record, isBad: share(ofCanary.data?.record) > share(ofLive.data?.record) }]
          : []),
      ]}
    />
  )
}
