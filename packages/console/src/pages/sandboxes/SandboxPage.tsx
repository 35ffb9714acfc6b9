import type { SandboxInfo } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useParams, useSearch } from '@tanstack/react-router'
import { useMay } from '../../api/permissions.ts'
import { sandboxQuery, snapshotsQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { EmptyState, Note, Skeleton } from '../../ui/Notes.tsx'
import { StateBadge } from '../../ui/State.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Guarded } from '../Guarded.tsx'
import { PageHead } from '../PageHead.tsx'
import { Tabs } from '../Tabs.tsx'
import { FilesView } from './FilesView.tsx'
import { NetworkView } from './NetworkView.tsx'
import { ProcessesView } from './ProcessesView.tsx'
import { SandboxActions } from './SandboxActions.tsx'
import { SandboxFacts } from './SandboxFacts.tsx'
import { sandboxTones } from './sandbox-parts.tsx'
import { Snapshots } from './SnapshotsPage.tsx'
import { TerminalView } from './TerminalView.tsx'

const views = ['terminal', 'files', 'processes', 'network', 'snapshots'] as const

export function SandboxPage() {
  const { sandboxId } = useParams({ from: '/shell/sandboxes/$sandboxId' })
  const { t } = useTexts()
  if (useMay()('sandboxes:read') !== false) return <Loaded key={sandboxId} sandboxId={sandboxId} />
  return (
    <>
      <PageHead title={t('sandboxes.title')} />
      <Guarded permission="sandboxes:read">{null}</Guarded>
    </>
  )
}

function Loaded({ sandboxId }: { sandboxId: string }) {
  const { t } = useTexts()
  const sandbox = useQuery({ ...sandboxQuery(sandboxId), enabled: useMay()('sandboxes:read') === true })
  if (sandbox.data) return <Found sandbox={sandbox.data} address={sandboxId} />
  return (
    <>
      <PageHead title={sandboxId} />
      {sandbox.isError ? (
        <RequestError
          error={sandbox.error}
          title={t('sandboxes.missing')}
          action={
            <AppLink href={paths.sandboxes()} className={buttonClass()}>
              {t('sandboxes.toList')}
            </AppLink>
          }
        />
      ) : (
        <Skeleton className="h-64" />
      )}
    </>
  )
}

function Found({ sandbox, address }: { sandbox: SandboxInfo; address: string }) {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/sandboxes/$sandboxId' })
  const isStopped = sandbox.state === 'stopped'
  const shown = isStopped ? (['network', 'snapshots'] as const) : views
  const view = shown.find((each) => each === search.view) ?? shown[0]
  return (
    <>
      <PageHead
        title={
          <span className="flex min-w-0 flex-wrap items-center gap-3">
            <span className="min-w-0 break-all">{sandbox.name ?? sandbox.id}</span>
            <StateBadge tone={sandboxTones[sandbox.state]}>{t(`sandboxes.states.${sandbox.state}`)}</StateBadge>
          </span>
        }
        lead={sandbox.state === 'released' ? t('sandboxes.releasedText') : undefined}
        actions={<SandboxActions sandbox={sandbox} />}
      />
      <SandboxFacts sandbox={sandbox} />
      {isStopped && (
        <div className="mb-4">
          <Note title={t('sandboxes.stoppedNote')}>
            <p className="text-sm text-ink-2">{t('sandboxes.stoppedText')}</p>
          </Note>
        </div>
      )}
      <Tabs
        label={t('sandboxes.parts')}
        tabs={shown.map((each) => ({ href: paths.sandbox(address, { view: each }), label: t(`sandboxes.views.${each}`), isOpen: each === view }))}
      />
      {view === 'terminal' && <TerminalView sandbox={sandbox} />}
      {view === 'files' && <FilesView sandbox={sandbox} address={address} />}
      {view === 'processes' && <ProcessesView sandbox={sandbox} />}
      {view === 'network' && <NetworkView sandbox={sandbox} address={address} />}
      {view === 'snapshots' && <OwnSnapshots sandboxId={sandbox.id} />}
    </>
  )
}

/** Those of the newest page that are of this sandbox; all of them are one click away. */
function OwnSnapshots({ sandboxId }: { sandboxId: string }) {
  const { t } = useTexts()
  const snapshots = useQuery(snapshotsQuery())
  return (
    <>
      <Snapshots
        query={snapshots}
        items={snapshots.data?.items.filter((snapshot) => snapshot.sandboxId === sandboxId)}
        empty={<EmptyState title={t('sandboxes.noOwnSnapshots')}>{t('sandboxes.noSnapshotsText')}</EmptyState>}
      />
      <AppLink href={paths.snapshots()} className="mt-3 inline-block rounded-sm text-sm text-accent hover:underline">
        {t('sandboxes.allSnapshots')}
      </AppLink>
    </>
  )
}
