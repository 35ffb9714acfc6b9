import { useState } from 'react'
import { client } from '../../../api/client.ts'
import { useTexts } from '../../../i18n/index.ts'
import { Field, TextField } from '../../../ui/Field.tsx'
import { TextArea } from '../../../ui/Fields.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { eachInTurn } from '../../in-turn.ts'
import { ModelField } from './ModelField.tsx'

/** Tries several runs once more from their beginning, with the same thing changed in each, and without their writes. */
export function ForkManyDialog({ runIds, onDone, onClose }: { runIds: readonly string[]; onDone: () => void; onClose: () => void }) {
  const { t } = useTexts()
  const [ids] = useState(runIds) // As they were when it was asked: the list behind it is live.
  const [model, setModel] = useState('')
  const [version, setVersion] = useState('')
  const [instructions, setInstructions] = useState('')
  const changes = {
    ...(model.trim() && { model: model.trim() }),
    ...(version.trim() && { version: version.trim() }),
    ...(instructions.trim() && { instructions: instructions.trim() }),
  }
  return (
    <ActionDialog
      title={t('fork.manyTitle', { count: ids.length })}
      action={t('fork.action')}
      changes={['runs']}
      act={async () => {
        const problems = await eachInTurn(ids, (runId) => client.runs.fork({ runId, changes }))
        if (problems.length > 0) throw new Error(t('fork.manyLeft', { count: problems.length, message: problems[0] ?? '' }))
        onDone()
      }}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('fork.manyText')}</p>
      <ModelField label={t('run.model')} value={model} placeholder={t('fork.asItWas')} onChange={setModel} />
      <TextField label={t('agents.version')} placeholder={t('fork.asItWas')} maxLength={128} value={version} onText={setVersion} />
      <Field label={t('detail.instructions')}>
        {(ids) => (
          <TextArea
            {...ids}
            rows={4}
            maxLength={200_000}
            placeholder={t('fork.asItWas')}
            value={instructions}
            onChange={(event) => setInstructions(event.target.value)}
            className="text-sm"
          />
        )}
      </Field>
    </ActionDialog>
  )
}
