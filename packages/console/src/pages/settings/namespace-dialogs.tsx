import { Name } from '@longhaul/protocol'
import type { Namespace } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { QuotaFields, toQuotaTexts, toQuotas } from './quota-parts.tsx'

/** A new namespace, or one that changes. */
export function NamespaceDialog({ namespace, onClose }: { namespace?: Namespace | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const [name, setName] = useState(namespace?.name ?? '')
  const [description, setDescription] = useState(namespace?.description ?? '')
  const [texts, setTexts] = useState(toQuotaTexts(namespace?.quotas ?? {}))
  const quotas = toQuotas(texts)
  const wrongName = Name.safeParse(name).success ? undefined : t('admin.badName')
  return (
    <ActionDialog
      title={namespace ? t('limits.namespaceTitle', { name: namespace.name }) : t('limits.newNamespace')}
      action={t('admin.save')}
      blockedBecause={wrongName ?? (quotas ? undefined : t('limits.badNumber'))}
      changes={['namespaces']}
      edited={{ shown: namespace, load: async () => (await client.namespaces.list()).items.find((each) => each.name === name) }}
      act={(condition) => client.namespaces.put({ name, description, ...(quotas && { quotas }) }, condition)}
      onClose={onClose}
    >
      {!namespace && (
        <Field label={t('limits.name')} error={name === '' ? undefined : wrongName}>
          {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
      )}
      <Field label={t('admin.description')} hint={t('admin.optional')}>
        {(ids) => <TextInput {...ids} maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      <QuotaFields quotas={texts} onChange={setTexts} isTried hasStorage={false} />
    </ActionDialog>
  )
}

export function NamespaceDeleteDialog({ namespace, onClose }: { namespace: Namespace; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <ActionDialog
      title={t('limits.deleteNamespaceTitle', { name: namespace.name })}
      action={t('limits.remove')}
      isDangerous
      changes={['namespaces']}
      act={() => client.namespaces.delete({ name: namespace.name })}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('limits.deleteNamespaceText')}</p>
    </ActionDialog>
  )
}
