import type { Retention } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { retentionQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, RadioList } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Note } from '../../ui/Notes.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { NamespaceRules } from './NamespaceRules.tsx'
import type { RuleRow } from './NamespaceRules.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

export function RetentionPage() {
  const { t } = useTexts()
  return (
    <SettingsFrame section="retention" lead={t('retention.lead')}>
      <RetentionTable />
    </SettingsFrame>
  )
}

function RetentionTable() {
  const { t } = useTexts()
  return (
    <NamespaceRules<Retention>
      words={{
        title: t('admin.section.retention'),
        namespace: t('retention.namespace'),
        others: t('retention.others'),
        kept: t('retention.kept'),
        empty: t('retention.empty'),
        changeOne: (namespace) => t('retention.changeOne', { namespace }),
      }}
      query={useQuery(retentionQuery())}
      keptClass="w-36"
      kept={({ namespace, rule }) => {
        if (rule) return rule.days === null ? t('retention.forever') : t('retention.days', { count: rule.days })
        return <span className="text-ink-3">{t(namespace === null ? 'retention.forever' : 'retention.inherited')}</span>
      }}
      dialog={(row, onClose) => <RetentionDialog row={row} onClose={onClose} />}
    />
  )
}

function RetentionDialog({ row: { namespace, rule }, onClose }: { row: RuleRow<Retention>; onClose: () => void }) {
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
