import type { RollbackGuard } from '@longhaul/protocol'
import { useTexts } from '../../i18n/index.ts'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'

/** Limits as they are typed. An empty one of the last three is no limit. */
export type TypedGuard = { minutes: string; failures: string; durationRatio: string; costRatio: string; scoreDrop: string }
export const usualGuard: TypedGuard = { minutes: '60', failures: '10', durationRatio: '', costRatio: '', scoreDrop: '' }

const bounds: Record<keyof TypedGuard, [min: number, max: number]> = {
  minutes: [1, 10_080],
  failures: [0, 100],
  durationRatio: [1, 100],
  costRatio: [1, 100],
  scoreDrop: [0, 100],
}
const isOptional = (name: keyof TypedGuard) => name !== 'minutes' && name !== 'failures'
const names = ['minutes', 'failures', 'durationRatio', 'costRatio', 'scoreDrop'] as const

const isRight = (guard: TypedGuard, name: keyof TypedGuard): boolean => {
  const text = guard[name].trim()
  const [min, max] = bounds[name]
  return text === '' ? isOptional(name) : Number(text) >= min && Number(text) <= max
}
export const isGuard = (guard: TypedGuard): boolean => names.every((name) => isRight(guard, name))

/** As the API has it. */
export function toGuard({ minutes, failures, durationRatio, costRatio, scoreDrop }: TypedGuard): Partial<RollbackGuard> {
  return {
    windowMs: Math.round(Number(minutes) * 60_000),
    failureShareMax: Number(failures) / 100,
    ...(durationRatio.trim() && { durationRatioMax: Number(durationRatio) }),
    ...(costRatio.trim() && { costRatioMax: Number(costRatio) }),
    ...(scoreDrop.trim() && { scoreDropMax: Number(scoreDrop) / 100 }),
  }
}

/** By what a deployment is taken back by itself. */
export function GuardFields({ guard, onChange }: { guard: TypedGuard; onChange: (guard: TypedGuard) => void }) {
  const { t } = useTexts()
  const labels: Record<keyof TypedGuard, string> = {
    minutes: t('agents.guardMinutes'),
    failures: t('agents.guardFailures'),
    durationRatio: t('agents.guardDuration'),
    costRatio: t('agents.guardCost'),
    scoreDrop: t('agents.guardScore'),
  }
  return (
    <div className="grid grid-cols-2 gap-3 pl-5">
      {names.map((name) => {
        const [min, max] = bounds[name]
        return (
          <Field
            key={name}
            label={labels[name]}
            hint={isOptional(name) ? t('agents.guardOptional') : undefined}
            error={isRight(guard, name) ? undefined : t('agents.guardRange', { min, max })}
          >
            {(ids) => <TextInput {...ids} inputMode="decimal" value={guard[name]} onChange={(event) => onChange({ ...guard, [name]: event.target.value })} />}
          </Field>
        )
      })}
    </div>
  )
}
