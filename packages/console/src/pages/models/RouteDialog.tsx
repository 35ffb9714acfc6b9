import type { Route } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { systemQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { Check, Field, RadioList } from '../../ui/Field.tsx'
import { TextArea, TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'

/** Makes a route, or changes one. A condition of a target stays with it as long as its model does. */
export function RouteDialog({ route, onClose }: { route?: Route; onClose: () => void }) {
  const { t } = useTexts()
  const { data: system } = useQuery(systemQuery())
  const [name, setName] = useState(route?.name ?? '')
  const [description, setDescription] = useState(route?.description ?? '')
  const [pick, setPick] = useState<Route['pick']>(route?.pick ?? 'order')
  const [sticky, setSticky] = useState(route?.sticky ?? true)
  const [escalate, setEscalate] = useState(route?.escalate ?? false)
  const [text, setText] = useState(route?.targets.map(({ model, weight }) => (weight === 1 ? model : `${model} ${weight}`)).join('\n') ?? '')
  const isNameWrong = name !== '' && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
  const lines = text
    .split('\n')
    .map((line) => line.trim())
    .filter(Boolean)
  const targets = lines.map((line) => {
    const [model = '', weight = '1'] = line.split(/\s+/)
    const when = route?.targets.find((one) => one.model === model)?.when
    return { model, weight: Number(weight), ...(when !== undefined && { when }) }
  })
  const wrong = targets.find(({ model, weight }) => !/^[^/\s]+\/\S+$/.test(model) || !(Number.isInteger(weight) && weight >= 1 && weight <= 1_000))
  const targetsProblem =
    lines.length === 0 || lines.length > 20 ? t('models.targetsWrong') : wrong ? t('models.targetWrong', { model: wrong.model }) : undefined
  const problem = name === '' || isNameWrong ? t('schedules.nameWrong') : targetsProblem
  return (
    <ActionDialog
      title={route ? t('models.editRoute', { route: route.name }) : t('models.addRoute')}
      action={t('schedules.save')}
      size="lg"
      blockedBecause={problem}
      changes={['routes']}
      edited={{ shown: route, load: () => client.routes.get({ name }) }}
      act={(condition) => client.routes.set({ name, description, pick, sticky, escalate, targets, learning: route?.learning, cache: route?.cache }, condition)}
      onClose={onClose}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('money.name')} hint={t('schedules.nameHint')} error={isNameWrong ? t('schedules.nameWrong') : undefined}>
          {(ids) => (
            <TextInput
              {...ids}
              value={name}
              readOnly={route !== undefined}
              maxLength={63}
              autoFocus={!route}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <Field label={t('agents.description')}>
          {(ids) => <TextInput {...ids} value={description} maxLength={500} onChange={(event) => setDescription(event.target.value)} />}
        </Field>
      </div>
      <Field
        label={t('models.targets')}
        hint={t('models.targetsHint', { models: system?.models.available.slice(0, 4).join(', ') ?? '' })}
        error={text === '' ? undefined : targetsProblem}
      >
        {(ids) => (
          <TextArea {...ids} rows={4} spellCheck={false} value={text} onChange={(event) => setText(event.target.value)} className="font-mono text-xs" />
        )}
      </Field>
      <RadioList
        name="pick"
        value={pick}
        onChange={setPick}
        choices={[
          { value: 'order', label: t('models.picks.order'), text: t('models.picks.orderText') },
          { value: 'weight', label: t('models.picks.weight'), text: t('models.picks.weightText') },
          { value: 'learned', label: t('models.picks.learned'), text: t('models.picks.learnedText') },
        ]}
      />
      <div className="space-y-1.5">
        <Check label={t('models.sticky')} isChecked={sticky} onChange={setSticky} />
        <Check label={t('models.escalate')} isChecked={escalate} onChange={setEscalate} />
      </div>
    </ActionDialog>
  )
}
