import type { CallPrivacy, CallPrivacyRule } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { callPrivacies, callPrivacyQuery } from '../../api/calls.ts'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, RadioList } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Note } from '../../ui/Notes.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { NamespaceRules } from './NamespaceRules.tsx'
import { SettingsFrame } from './SettingsFrame.tsx'

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
  const rules = useQuery(callPrivacyQuery())
  const ofOthers = rules.data?.items.find(({ namespace }) => namespace === null)
  return (
    <NamespaceRules<CallPrivacyRule>
      words={{
        title: t('admin.section.callPrivacy'),
        namespace: t('callPrivacy.namespace'),
        others: t('callPrivacy.others'),
        kept: t('callPrivacy.kept'),
        empty: t('callPrivacy.empty'),
        changeOne: (namespace) => t('callPrivacy.changeOne', { namespace }),
      }}
      query={rules}
      keptClass="w-44"
      kept={({ namespace, rule }) => {
        if (!rule && namespace !== null) return <span className="text-ink-3">{t('callPrivacy.inherited')}</span>
        const { privacy, days } = rule ?? unsaid
        return (
          <span className={rule ? undefined : 'text-ink-3'}>
            {t(`callPrivacy.levels.${privacy}`)} · {t('callPrivacy.days', { count: days })}
          </span>
        )
      }}
      dialog={({ namespace, rule }, onClose) => <RuleDialog namespace={namespace} before={rule ?? ofOthers ?? unsaid} onClose={onClose} />}
    />
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
