import { Name } from '@longhaul/protocol'
import type { MarketplaceVersion } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { useMay } from '../../../api/permissions.ts'
import { namespacesQuery } from '../../../api/settings.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Field } from '../../../ui/Field.tsx'
import { TextInput } from '../../../ui/Fields.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'

type Props = { version: MarketplaceVersion; onClose: () => void }

/** Yes, no, or no more. What was read is named by its hash, so that nothing else is decided about. */
export function DecisionDialog({ version: { entry, version, hash }, what, onClose }: Props & { what: 'approve' | 'reject' | 'revoke' }) {
  const { t } = useTexts()
  const [reason, setReason] = useState('')
  const said = reason.trim()
  const isMissing = what === 'revoke' && said === ''
  return (
    <ActionDialog
      title={t(`marketplace.${what}Title`, { name: `${entry}@${version}` })}
      action={t(`marketplace.${what}`)}
      isDangerous={what !== 'approve'}
      blockedBecause={isMissing ? t('marketplace.reasonMissing') : undefined}
      changes={['marketplace', 'tools']}
      act={() =>
        what === 'revoke'
          ? client.marketplace.revoke({ entry, version, reason: said })
          : client.marketplace.review({ entry, version, hash, decision: what, ...(said && { reason: said }) })
      }
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t(`marketplace.${what}Text`)}</p>
      <Field label={t('marketplace.reason')} hint={what === 'revoke' ? t('marketplace.reasonHint') : t('admin.optional')}>
        {(ids) => <TextInput {...ids} autoFocus maxLength={2_000} value={reason} onChange={(event) => setReason(event.target.value)} />}
      </Field>
    </ActionDialog>
  )
}

export function InstallDialog({ version: { entry, version, hash }, onClose }: Props) {
  const { t } = useTexts()
  const may = useMay()
  const names = useQuery({ ...namespacesQuery(), enabled: may('namespaces:read') === true }).data?.items.map(({ name }) => name) ?? []
  const [namespace, setNamespace] = useState('default')
  const wrong = Name.safeParse(namespace).success ? undefined : t('admin.badName')
  return (
    <ActionDialog
      title={t('marketplace.installTitle', { name: `${entry}@${version}` })}
      action={t('marketplace.install')}
      blockedBecause={wrong}
      changes={['marketplace', 'tools']}
      act={() => client.marketplace.install({ entry, version, hash, namespace })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('marketplace.installText')}</p>
      <Field label={t('marketplace.namespace')} error={wrong}>
        {(ids) => <TextInput {...ids} autoFocus maxLength={63} list="namespaces" value={namespace} onChange={(event) => setNamespace(event.target.value)} />}
      </Field>
      <datalist id="namespaces">
        {names.map((name) => (
          <option key={name} value={name} />
        ))}
      </datalist>
    </ActionDialog>
  )
}

export function UninstallDialog({ entry, namespace, onClose }: { entry: string; namespace: string; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <ActionDialog
      title={t('marketplace.uninstallTitle', { entry, namespace })}
      action={t('marketplace.uninstall')}
      isDangerous
      changes={['marketplace', 'tools']}
      act={() => client.marketplace.uninstall({ entry, namespace })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('marketplace.uninstallText')}</p>
    </ActionDialog>
  )
}
