import type { Memory } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, RadioList } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'

export function EraseDialog({ memory, onClose }: { memory: Memory; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <ActionDialog
      title={t('memory.eraseTitle')}
      action={t('memory.erase')}
      isDangerous
      changes={['memories']}
      act={() => client.memory.erase({ memoryId: memory.id })}
      onClose={onClose}
    >
      <p className="text-sm break-words">{memory.text.slice(0, 400)}</p>
      <p className="text-sm text-ink-2">{t('memory.eraseText')}</p>
    </ActionDialog>
  )
}

type Props = { agent: string | undefined; onForgotten: (count: number) => void; onClose: () => void }

/** All that is remembered of the visitor, or, by whoever manages keys, of anybody. */
export function EraseAllDialog({ agent, onForgotten, onClose }: Props) {
  const { t } = useTexts()
  const mayName = usePermission('keys:manage')
  const [whose, setWhose] = useState<'mine' | 'other'>('mine')
  const [subject, setSubject] = useState('')
  const isUnnamed = whose === 'other' && subject.trim() === ''
  return (
    <ActionDialog
      title={agent === undefined ? t('memory.eraseAllTitle') : t('memory.eraseAllOf', { agent })}
      action={t('memory.eraseAll')}
      isDangerous
      blockedBecause={isUnnamed ? t('memory.noSubject') : undefined}
      changes={['memories']}
      act={async () => {
        const { count } = await client.memory.eraseAll({ ...(agent && { agent }), ...(whose === 'other' && { subject: subject.trim() }) })
        onForgotten(count)
      }}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('memory.eraseText')}</p>
      <RadioList
        name="whose"
        value={whose}
        choices={[
          { value: 'mine', label: t('memory.mine'), text: t('memory.mineText') },
          {
            value: 'other',
            label: t('memory.other'),
            text: t('memory.otherText'),
            blockedBecause: mayName ? undefined : t('common.noPermission', { permission: 'keys:manage' }),
          },
        ]}
        onChange={setWhose}
      />
      {whose === 'other' && (
        <Field label={t('memory.subject')}>
          {(ids) => (
            <TextInput
              {...ids}
              autoFocus
              spellCheck={false}
              maxLength={64}
              value={subject}
              onChange={(event) => setSubject(event.target.value)}
              className="font-mono text-sm"
            />
          )}
        </Field>
      )}
    </ActionDialog>
  )
}
