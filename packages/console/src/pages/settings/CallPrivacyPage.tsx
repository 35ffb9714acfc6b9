import type { CallPrivacy, CallPrivacyRule } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { Pencil } from 'lucide-react'
import { useState } from 'react'
import { callPrivacies, callPrivacyQuery } from '../../api/calls.ts'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { namespacesQuery } from '../../api/settings.ts'
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
type Row = { namespace: string | null; rule: CallPrivacyRule | undefined }
/** What counts where nothing is said, as `callPrivacy.list` has it. */
const unsaid = { privacy: 'masked', days: 30 } as const

export function CallPrivacyPage() {
  const { t } = useTexts()
  return (
    <SettingsFrame section="callPrivacy" lead={t('callPrivacy.lead')}>
      <RuleTable />
    </SettingsFrame>
  )
}

function RuleTable() {
  const { t } = useTexts()
  const mayManage = usePermission('namespaces:manage')
  const rules = useQuery(callPrivacyQuery())
  const namespaces = useQuery(namespacesQuery())
  const [changing, setChanging] = useState<Row>()
  const items = rules.data?.items
  const names = [...new Set([...(namespaces.data?.items ?? []).map(({ name }) => name), ...(items ?? []).flatMap(({ namespace }) => namespace ?? [])])].sort()
  const rows =
    items && namespaces.data ? [...names, null].map((namespace): Row => ({ namespace, rule: items.find((rule) => rule.namespace === namespace) })) : undefined
  const nameOf = ({ namespace }: Row) => namespace ?? t('callPrivacy.others')
  const kept = ({ namespace, rule }: Row) => {
    if (!rule && namespace !== null) return <span className="text-ink-3">{t('callPrivacy.inherited')}</span>
    const { privacy, days } = rule ?? unsaid
    return (
      <span className={rule ? undefined : 'text-ink-3'}>
        {t(`callPrivacy.levels.${privacy}`)} · {t('callPrivacy.days', { count: days })}
      </span>
    )
  }
  return (
    <>
      <Listing<Row>
        query={rules}
        label={t('admin.section.callPrivacy')}
        rows={rows}
        skeletonRows={2}
        idOf={({ namespace }) => namespace ?? ''}
        empty={<EmptyState title={t('callPrivacy.empty')} />}
        columns={[
          {
            id: 'namespace',
            head: t('callPrivacy.namespace'),
            cell: (row) => <span className={row.namespace ? 'block truncate font-medium' : 'text-ink-2'}>{nameOf(row)}</span>,
          },
          { id: 'kept', head: t('callPrivacy.kept'), className: 'w-44', cell: kept },
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
                    <IconButton size="sm" label={t('callPrivacy.changeOne', { namespace: nameOf(row) })} onClick={() => setChanging(row)}>
                      <Pencil size={14} aria-hidden />
                    </IconButton>
                  ),
                },
              ]
            : []),
        ]}
      />
      {changing && (
        <RuleDialog
          namespace={changing.namespace}
          before={changing.rule ?? items?.find(({ namespace }) => namespace === null) ?? unsaid}
          onClose={() => setChanging(undefined)}
        />
      )}
    </>
  )
}

type RuleDialogProps = { namespace: string | null; before: Pick<CallPrivacyRule, 'privacy' | 'days'>; onClose: () => void }

function RuleDialog({ namespace, before, onClose }: RuleDialogProps) {
  const { t } = useTexts()
  const [privacy, setPrivacy] = useState<CallPrivacy>(before.privacy)
  const [text, setText] = useState(String(before.days))
  const days = Number(text)
  const isWrong = !(Number.isInteger(days) && days >= 1 && days <= 3_650)
  // `callPrivacies` begins with the one that keeps the most.
  const keepsMore = callPrivacies.indexOf(privacy) < callPrivacies.indexOf(before.privacy)
  const isShorter = !isWrong && days < before.days
  return (
    <ActionDialog
      title={namespace === null ? t('callPrivacy.othersTitle') : t('callPrivacy.title', { namespace })}
      action={t('admin.save')}
      size="lg"
      isDangerous={isShorter}
      blockedBecause={isWrong ? t('callPrivacy.daysWrong') : undefined}
      changes={['callPrivacy']}
      act={() => client.callPrivacy.set({ ...(namespace !== null && { namespace }), privacy, days })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('callPrivacy.text')}</p>
      <RadioList
        name="privacy"
        value={privacy}
        choices={callPrivacies.map((value) => ({
          value: value as CallPrivacy,
          label: t(`callPrivacy.levels.${value}`),
          text: t(`callPrivacy.levelTexts.${value}`),
        }))}
        onChange={setPrivacy}
      />
      <Field label={t('callPrivacy.daysLabel')} error={isWrong ? t('callPrivacy.daysWrong') : undefined}>
        {(ids) => <TextInput {...ids} inputMode="numeric" value={text} onChange={(event) => setText(event.target.value)} />}
      </Field>
      {isShorter && <Note tone="warn" title={t('callPrivacy.shorter')} />}
      {keepsMore && <Note tone="warn" title={t('callPrivacy.more')} />}
    </ActionDialog>
  )
}
