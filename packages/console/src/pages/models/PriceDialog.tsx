import type { Model } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'

const isRate = (text: string): boolean => text.trim() !== '' && Number(text) >= 0 && Number(text) <= 100_000

/** What a model costs from today on, before what the catalogue says. What the other buckets cost stays as it was. */
export function PriceDialog({ model, onClose }: { model: Model; onClose: () => void }) {
  const { t } = useTexts()
  const [input, setInput] = useState(String(model.price?.input ?? ''))
  const [output, setOutput] = useState(String(model.price?.output ?? ''))
  const act = () => {
    const { since: _since, ...before } = model.price ?? { input: 0, output: 0 }
    return client.models.set({ model: model.model, price: { ...before, input: Number(input), output: Number(output) } })
  }
  return (
    <ActionDialog
      title={t('models.priceTitle', { model: model.model })}
      action={t('schedules.save')}
      changes={['models']}
      blockedBecause={isRate(input) && isRate(output) ? undefined : t('money.limitWrong')}
      act={act}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('models.priceText')}</p>
      <div className="grid grid-cols-2 gap-4">
        <Field label={t('money.input')}>
          {(ids) => <TextInput {...ids} inputMode="decimal" value={input} onChange={(event) => setInput(event.target.value)} />}
        </Field>
        <Field label={t('money.output')}>
          {(ids) => <TextInput {...ids} inputMode="decimal" value={output} onChange={(event) => setOutput(event.target.value)} />}
        </Field>
      </div>
    </ActionDialog>
  )
}
