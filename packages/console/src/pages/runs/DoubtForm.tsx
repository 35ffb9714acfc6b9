import type { Json, Run } from '@longhaul/protocol'
import { doubtDecisions } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { acceptRun } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Field, RadioList } from '../../ui/Field.tsx'
import { TextArea } from '../../ui/Fields.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** Decides a write of which nobody knows whether it took effect. */
export function DoubtForm({ run, op }: { run: Run; op: string }) {
  const { t } = useTexts()
  const mayWrite = usePermission('runs:write')
  const [decision, setDecision] = useState<(typeof doubtDecisions)[number]>('completed')
  const [text, setText] = useState('')
  const output = decision === 'completed' ? parsed(text) : undefined
  const decide = useMutation({
    mutationFn: () =>
      client.runs.decide({
        runId: run.id,
        op,
        decision,
        ...(output?.ok && { output: output.value }),
        ...(decision === 'failed' && text.trim() && { message: text.trim() }),
      }),
    onSuccess: acceptRun,
  })
  const blocked = !mayWrite ? t('common.noPermission', { permission: 'runs:write' }) : output?.ok === false ? t('doubt.badJson') : undefined
  return (
    <form
      className="space-y-3 pt-1"
      onSubmit={(event) => {
        event.preventDefault()
        if (blocked === undefined) decide.mutate()
      }}
    >
      <RadioList
        name="decision"
        value={decision}
        onChange={setDecision}
        choices={doubtDecisions.map((value) => ({ value, label: t(`doubt.decisions.${value}`), text: t(`doubt.texts.${value}`) }))}
      />
      {decision !== 'execute' && (
        <Field label={t(decision === 'completed' ? 'doubt.output' : 'doubt.message')} error={output?.ok === false ? t('doubt.badJson') : undefined}>
          {(ids) => (
            <TextArea
              {...ids}
              rows={2}
              maxLength={20_000}
              value={text}
              spellCheck={false}
              onChange={(event) => setText(event.target.value)}
              className="font-mono text-xs"
            />
          )}
        </Field>
      )}
      {decide.isError && <RequestError error={decide.error} />}
      <Button type="submit" look="primary" isBusy={decide.isPending} disabledBecause={blocked}>
        {t('doubt.decide')}
      </Button>
    </form>
  )
}

/** Nothing written is null. */
function parsed(text: string): { ok: true; value: Json } | { ok: false } {
  try {
    return { ok: true, value: text.trim() === '' ? null : JSON.parse(text) }
  } catch {
    return { ok: false }
  }
}
