import type { Retention } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Pencil } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { namespacesQuery, retentionQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { IconButton } from '../../ui/Button.tsx'
import { Field, RadioList } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { EmptyState, Note } from '../../ui/Notes.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

/** A namespace and its rule, if it has one. `namespace` is null for all that have none. */
type Row = { namespace: string | null; rule: Retention | undefined }

export function RetentionPage() {
  const { t } = useTexts()
  const mayManage = usePermission('namespaces:manage')
  return (
    <SettingsFrame section="retention" lead={t('retention.lead')}>
      <RetentionTable mayManage={mayManage} />
    </SettingsFrame>
  )
}

function RetentionTable({ mayManage }: { mayManage: boolean }) {
  const { t } = useTexts()
  const retention = useQuery(retentionQuery())
  const namespaces = useQuery(namespacesQuery())
  const [changing, setChanging] = useState<Row>()
  const rules = retention.data?.items
  const names = [...new Set([...(namespaces.data?.items ?? []).map(({ name }) => name), ...(rules ?? []).flatMap(({ namespace }) => namespace ?? [])])].sort()
  const rows =
    rules && namespaces.data ? [...names, null].map((namespace): Row => ({ namespace, rule: rules.find((rule) => rule.namespace === namespace) })) : undefined
  const kept = ({ namespace, rule }: Row) => {
    if (rule) return rule.days === null ? t('retention.forever') : t('retention.days', { count: rule.days })
    return <span className="text-ink-3">{t(namespace === null ? 'retention.forever' : 'retention.inherited')}</span>
  }
  const nameOf = ({ namespace }: Row) => namespace ?? t('retention.others')
  return (
    <>
      <Listing<Row>
        query={retention}
        label={t('admin.section.retention')}
        rows={rows}
        skeletonRows={2}
        idOf={({ namespace }) => namespace ?? ''}
        empty={<EmptyState title={t('retention.empty')} />}
        columns={[
          {
            id: 'namespace',
            head: t('retention.namespace'),
            cell: (row) => <span className={row.namespace ? 'block truncate font-medium' : 'text-ink-2'}>{nameOf(row)}</span>,
          },
          { id: 'kept', head: t('retention.kept'), className: 'w-36', cell: kept },
          {
            id: 'by',
            head: t('limits.setBy'),
            className: 'w-52 max-md:hidden',
            cell: ({ rule }) =>
              rule && (
                <span className="block truncate text-ink-2">
                  {rule.setBy} · <Ago at={rule.setAt} />
                </span>
              ),
          },
          ...(mayManage
            ? [
                {
                  id: 'actions',
                  head: t('admin.actions'),
                  isHeadHidden: true as const,
                  className: 'w-12',
                  isRight: true,
                  cell: (row: Row) => (
                    <IconButton size="sm" label={t('retention.changeOne', { namespace: nameOf(row) })} onClick={() => setChanging(row)}>
                      <Pencil size={14} aria-hidden />
                    </IconButton>
                  ),
                },
              ]
            : []),
        ]}
      />
      {changing && <RetentionDialog row={changing} onClose={() => setChanging(undefined)} />}
    </>
  )
}

function RetentionDialog({ row: { namespace, rule }, onClose }: { row: Row; onClose: () => void }) {
  const { t } = useTexts()
  const [isLimited, setLimited] = useState(typeof rule?.days === 'number')
  const [text, setText] = useState(String(rule?.days ?? 90))
  const days = Number(text)
  const isWrong = isLimited && !(Number.isInteger(days) && days >= 1 && days <= 36_500)
  // Fewer days than until now: what is older goes.
  const deletes = isLimited && !isWrong && (typeof rule?.days !== 'number' || days < rule.days)
  return (
    <ActionDialog
      title={namespace === null ? t('retention.othersTitle') : t('retention.title', { namespace })}
      action={t('admin.save')}
      isDangerous={deletes}
      blockedBecause={isWrong ? t('retention.daysWrong') : undefined}
      changes={['retention']}
      edited={{ shown: rule, load: async () => (await client.retention.list({ limit: 200 })).items.find((each) => each.namespace === namespace) }}
      act={(condition) => client.retention.set({ ...(namespace !== null && { namespace }), days: isLimited ? days : null }, condition)}
      onClose={onClose}
    >
      <RadioList
        name="kept"
        value={isLimited ? 'days' : 'forever'}
        choices={[
          { value: 'forever', label: t('retention.always'), text: t('retention.foreverText') },
          { value: 'days', label: t('retention.forDays'), text: t('retention.forDaysText') },
        ]}
        onChange={(value) => setLimited(value === 'days')}
      />
      {isLimited && (
        <Field label={t('retention.daysLabel')} error={isWrong ? t('retention.daysWrong') : undefined}>
          {(ids) => <TextInput {...ids} inputMode="numeric" autoFocus value={text} onChange={(event) => setText(event.target.value)} />}
        </Field>
      )}
      {deletes && <Note tone="warn" title={t('retention.warning')} />}
    </ActionDialog>
  )
}
