import type { MarketplaceVersion } from '@longhaul/protocol'
import { Ban, Check, Download, X } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { usePermission } from '../../../api/permissions.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Button, IconButton } from '../../../ui/Button.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { Ago } from '../../Moment.tsx'
import { Facts } from '../../runs/detail/parts.tsx'
import { DecisionDialog, InstallDialog, UninstallDialog } from './dialogs.tsx'

export const refOf = ({ entry, version }: MarketplaceVersion): string => `${entry}@${version}`

type Asking = { what: 'approve' | 'reject' | 'revoke' | 'install' } | { what: 'uninstall'; namespace: string }

/** What a version holds, to be read before it is approved, and what can be done with it in its state. */
export function VersionDetail({ version }: { version: MarketplaceVersion }) {
  const { t } = useTexts()
  const [asking, setAsking] = useState<Asking>()
  const { state, decidedBy, decidedAt, reason, tools } = version
  const facts: [string, ReactNode][] = [
    [t('marketplace.kind'), t(`tools.kinds.${version.kind}`)],
    [t('marketplace.address'), version.url === null ? t('marketplace.ofDocument') : <span className="font-mono text-xs break-all">{version.url}</span>],
    [t('marketplace.publishedBy'), version.publishedBy],
  ]
  if (decidedBy !== null && decidedAt !== null)
    facts.push([
      t(`marketplace.states.${state}`),
      <>
        {decidedBy} · <Ago at={decidedAt} />
      </>,
    ])
  if (reason !== null) facts.push([t('marketplace.reason'), reason])
  return (
    <div className="space-y-4 text-sm">
      <Actions version={version} onAsk={setAsking} />
      <p className="break-words whitespace-pre-wrap">{version.description}</p>
      <Facts facts={facts} />
      <dl aria-label={t('marketplace.tools')} className="divide-y divide-line rounded-md border border-line bg-surface">
        {tools.map(({ name, description, hash }) => (
          <div key={name} className="grid gap-x-4 gap-y-0.5 px-3 py-2 sm:grid-cols-[14rem_minmax(0,1fr)_auto]">
            <dt className="font-mono text-xs leading-5 font-medium break-all">{name}</dt>
            <dd className="min-w-0 break-words whitespace-pre-wrap text-ink-2">{description}</dd>
            <dd className="font-mono text-xs leading-5 text-ink-3" title={hash}>
              {hash.slice(0, 12)}
            </dd>
          </div>
        ))}
      </dl>
      <Installed version={version} onAsk={setAsking} />
      <p className="flex items-center gap-1.5 text-xs text-ink-3">
        {t('marketplace.hash')}
        <code className="min-w-0 break-all">{version.hash}</code>
        <CopyButton isIconOnly getText={() => version.hash} words={{ label: t('common.copy'), done: t('common.copied') }} />
      </p>
      {asking?.what === 'install' && <InstallDialog version={version} onClose={() => setAsking(undefined)} />}
      {asking?.what === 'uninstall' && <UninstallDialog entry={version.entry} namespace={asking.namespace} onClose={() => setAsking(undefined)} />}
      {(asking?.what === 'approve' || asking?.what === 'reject' || asking?.what === 'revoke') && (
        <DecisionDialog version={version} what={asking.what} onClose={() => setAsking(undefined)} />
      )}
    </div>
  )
}

type ActionsProps = { version: MarketplaceVersion; onAsk: (asking: Asking) => void }

function Actions({ version: { state }, onAsk }: ActionsProps) {
  const { t } = useTexts()
  const review = usePermission('tools:review') ? undefined : t('common.noPermission', { permission: 'tools:review' })
  const deploy = usePermission('agents:deploy') ? undefined : t('common.noPermission', { permission: 'agents:deploy' })
  if (state === 'published')
    return (
      <div className="flex flex-wrap gap-2">
        <Button size="sm" look="primary" disabledBecause={review} onClick={() => onAsk({ what: 'approve' })}>
          <Check size={13} aria-hidden />
          {t('marketplace.approve')}
        </Button>
        <Button size="sm" look="danger" disabledBecause={review} onClick={() => onAsk({ what: 'reject' })}>
          <X size={13} aria-hidden />
          {t('marketplace.reject')}
        </Button>
      </div>
    )
  if (state !== 'approved') return null
  return (
    <div className="flex flex-wrap gap-2">
      <Button size="sm" look="primary" disabledBecause={deploy} onClick={() => onAsk({ what: 'install' })}>
        <Download size={13} aria-hidden />
        {t('marketplace.install')}
      </Button>
      <Button size="sm" look="danger" disabledBecause={review} onClick={() => onAsk({ what: 'revoke' })}>
        <Ban size={13} aria-hidden />
        {t('marketplace.revoke')}
      </Button>
    </div>
  )
}

/** Where it is installed, and the line by which an agent there uses it. */
function Installed({ version: { entry, namespaces }, onAsk }: ActionsProps) {
  const { t } = useTexts()
  const deploy = usePermission('agents:deploy') ? undefined : t('common.noPermission', { permission: 'agents:deploy' })
  if (namespaces.length === 0) return null
  const line = JSON.stringify({ kind: 'marketplace', entry })
  return (
    <div className="space-y-1.5">
      <p className="flex flex-wrap items-center gap-x-3 gap-y-1">
        <span className="text-xs text-ink-3">{t('marketplace.installed')}</span>
        {namespaces.map((namespace) => (
          <span key={namespace} className="inline-flex items-center gap-0.5">
            {namespace}
            <IconButton
              size="sm"
              label={t('marketplace.uninstallTitle', { entry, namespace })}
              disabledBecause={deploy}
              onClick={() => onAsk({ what: 'uninstall', namespace })}
            >
              <X size={13} aria-hidden />
            </IconButton>
          </span>
        ))}
      </p>
      <p className="text-xs text-ink-3">{t('marketplace.usedBy', { file: `connections/${entry}.json` })}</p>
      <p className="flex items-center gap-1">
        <code className="text-xs break-all">{line}</code>
        <CopyButton isIconOnly getText={() => line} words={{ label: t('common.copy'), done: t('common.copied') }} />
      </p>
    </div>
  )
}
