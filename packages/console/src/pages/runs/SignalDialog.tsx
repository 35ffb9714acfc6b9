import type { Run } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { acceptRun } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextArea, TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { parseJson } from '../parse-json.ts'

/** Sends data into a run under any name: it is kept until the run asks for a signal of that name. */
export function SignalDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const { t } = useTexts()
  const [name, setName] = useState(run.wait?.kind === 'signal' ? run.wait.name : '')
  const [text, setText] = useState('{}')
  const payload = parseJson(text)
  return (
    <ActionDialog
      title={t('run.signal')}
      action={t('wait.send')}
      changes={['runs']}
      blockedBecause={name.trim() === '' ? t('run.signalUnnamed') : 'message' in payload ? t('wait.badJson', { message: payload.message }) : undefined}
      act={async () => {
        if ('value' in payload) acceptRun(await client.runs.signal({ runId: run.id, name: name.trim(), payload: payload.value }))
      }}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('run.signalText')}</p>
      <Field label={t('run.signalName')}>
        {(ids) => <TextInput {...ids} value={name} maxLength={128} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Field label={t('wait.payload')} error={'message' in payload ? t('wait.badJson', { message: payload.message }) : undefined}>
        {(ids) => (
          <TextArea {...ids} rows={4} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} className="font-mono text-xs" />
        )}
      </Field>
    </ActionDialog>
  )
}
