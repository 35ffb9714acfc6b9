import type { Run } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { eachInTurn } from '../in-turn.ts'

/** Cancels several runs, a few at a time. What could not be is said, with the first reason. */
export function CancelManyDialog({ runs, onClose, onDone }: { runs: readonly Run[]; onClose: () => void; onDone: () => void }) {
  const { t } = useTexts()
  const [reason, setReason] = useState('')
  const [ids] = useState(() => runs.map(({ id }) => id)) // As they were when the question was asked: the list behind it is live.
  const cancelAll = async () => {
    const problems = await eachInTurn(ids, (runId) => client.runs.cancel({ runId, ...(reason.trim() ? { reason: reason.trim() } : {}) }))
    if (problems.length > 0) throw new Error(t('runs.cancelLeft', { count: problems.length, message: problems[0] ?? '' }))
    onDone()
  }
  return (
    <ActionDialog
      title={t('runs.cancelTitle', { count: ids.length })}
      action={t('runs.cancelMany')}
      isDangerous
      changes={['runs', 'approvals', 'attention']}
      act={cancelAll}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('run.cancelText')}</p>
      <Field label={t('run.cancelReason')}>
        {(field) => <TextInput {...field} value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />}
      </Field>
    </ActionDialog>
  )
}
