import { Name } from '@longhaul/protocol'
import type { Namespace } from '@longhaul/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { namespacesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { FormDialog } from '../FormDialog.tsx'
import { QuotaFields, toQuotaTexts, toQuotas } from './quota-parts.tsx'

/** A new namespace, or one that changes. */
export function NamespaceDialog({ namespace, onClose }: { namespace?: Namespace | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [name, setName] = useState(namespace?.name ?? '')
  const [description, setDescription] = useState(namespace?.description ?? '')
  const [texts, setTexts] = useState(toQuotaTexts(namespace?.quotas ?? {}))
  const [isTried, setTried] = useState(false)
  const quotas = toQuotas(texts)
  const wrongName = Name.safeParse(name).success ? undefined : t('admin.badName')
  const put = useMutation({
    mutationFn: () => client.namespaces.put({ name, description, ...(quotas && { quotas }) }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: namespacesQuery().queryKey })
      onClose()
    },
  })
  return (
    <FormDialog
      title={namespace ? t('limits.namespaceTitle', { name: namespace.name }) : t('limits.newNamespace')}
      action={t('admin.save')}
      isBusy={put.isPending}
      error={put.error}
      onSubmit={() => {
        setTried(true)
        if (wrongName === undefined && quotas) put.mutate()
      }}
      onClose={onClose}
    >
      {!namespace && (
        <Field label={t('limits.name')} error={isTried ? wrongName : undefined}>
          {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
      )}
      <Field label={t('admin.description')} hint={t('admin.optional')}>
        {(ids) => <TextInput {...ids} maxLength={500} value={description} onChange={(event) => setDescription(event.target.value)} />}
      </Field>
      <QuotaFields quotas={texts} onChange={setTexts} isTried={isTried} hasStorage={false} />
    </FormDialog>
  )
}

export function NamespaceDeleteDialog({ namespace, onClose }: { namespace: Namespace; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const remove = useMutation({
    mutationFn: () => client.namespaces.delete({ name: namespace.name }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: namespacesQuery().queryKey })
      onClose()
    },
  })
  return (
    <FormDialog
      title={t('limits.deleteNamespaceTitle', { name: namespace.name })}
      action={t('limits.remove')}
      isDangerous
      isBusy={remove.isPending}
      error={remove.error}
      onSubmit={() => remove.mutate()}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('limits.deleteNamespaceText')}</p>
    </FormDialog>
  )
}
