import type { Ask, AskAnswers, AskField, AskValue } from '@longhaul/protocol'
import { ExternalLink } from 'lucide-react'
import { useTexts } from '../../i18n/index.ts'
import { TextInput } from '../../ui/Fields.tsx'

/** What a tool server asks a person for, in its own words: fields to fill in, and pages that are opened by nobody but the person. */
export function AskForm({ who, asks, answers, onChange }: { who: string; asks: readonly Ask[]; answers: AskAnswers; onChange: (answers: AskAnswers) => void }) {
  const { t } = useTexts()
  return (
    <div className="space-y-4">
      {asks.map(({ key, message, fields, url }) => (
        <fieldset key={key} className="space-y-3 rounded-md border border-line p-3">
          <legend className="px-1 text-sm text-ink-2">{t('approvals.asks', { name: who })}</legend>
          <p className="break-words whitespace-pre-line">{message}</p>
          {url !== undefined && (
            <p className="text-sm break-all">
              <a href={url} target="_blank" rel="noreferrer noopener" className="inline-flex items-start gap-1.5 rounded-sm text-accent hover:underline">
                <ExternalLink size={14} aria-hidden className="mt-0.5 shrink-0" />
                {url}
              </a>
              <span className="mt-1 block text-ink-2">{t('approvals.visit', { host: new URL(url).host })}</span>
            </p>
          )}
          {fields?.map((field) => (
            <FieldRow
              key={field.name}
              field={field}
              value={answers[key]?.[field.name]}
              onChange={(value) => {
                const { [field.name]: _, ...others } = answers[key] ?? {}
                onChange({ ...answers, [key]: value === undefined ? others : { ...others, [field.name]: value } })
              }}
            />
          ))}
        </fieldset>
      ))}
    </div>
  )
}

/** What stands in the form at first. */
export const defaultsOf = (asks: readonly Ask[]): AskAnswers =>
  Object.fromEntries(
    asks.flatMap(({ key, fields }) =>
      fields ? [[key, Object.fromEntries(fields.flatMap(({ name, default: usual }) => (usual === undefined ? [] : [[name, usual]])))]] : [],
    ),
  )

type FieldProps = { field: AskField; value: AskValue | undefined; onChange: (value: AskValue | undefined) => void }

function FieldRow({ field, value, onChange }: FieldProps) {
  const { t } = useTexts()
  return (
    <div className="space-y-1">
      <span className="block text-sm font-medium">
        {field.title} {!field.isRequired && <span className="font-normal text-ink-3">{t('approvals.optional')}</span>}
      </span>
      {field.description !== undefined && <span className="block text-sm text-ink-2">{field.description}</span>}
      <FieldInput field={field} value={value} onChange={onChange} />
    </div>
  )
}

const inputTypes: Record<NonNullable<AskField['format']>, string> = { email: 'email', uri: 'url', date: 'date', 'date-time': 'text' }

function FieldInput({ field, value, onChange }: FieldProps) {
  const { t } = useTexts()
  const { kind, title, options = [], format, min, max } = field
  if (kind === 'choices') {
    const taken = Array.isArray(value) ? value : []
    return (
      <div className="space-y-1">
        {options.map((option) => (
          <label key={option.value} className="flex items-center gap-2 text-sm">
            <input
              type="checkbox"
              checked={taken.includes(option.value)}
              onChange={({ target }) => onChange(target.checked ? [...taken, option.value] : taken.filter((one) => one !== option.value))}
            />
            {option.title}
          </label>
        ))}
      </div>
    )
  }
  if (kind === 'choice' || kind === 'yes-no') {
    const choices =
      kind === 'choice'
        ? options
        : [
            { value: 'true', title: t('approvals.yes') },
            { value: 'false', title: t('approvals.no') },
          ]
    const read = (text: string) => (text === '' ? undefined : kind === 'choice' ? text : text === 'true')
    return (
      <select
        aria-label={title}
        value={value === undefined ? '' : String(value)}
        onChange={({ target }) => onChange(read(target.value))}
        className="h-8 rounded-md border border-field bg-surface px-2 text-sm"
      >
        <option value="" />
        {choices.map((one) => (
          <option key={one.value} value={one.value}>
            {one.title}
          </option>
        ))}
      </select>
    )
  }
  if (kind === 'text')
    return (
      <TextInput
        aria-label={title}
        type={format ? inputTypes[format] : 'text'}
        maxLength={max ?? 10_000}
        autoComplete="off"
        value={typeof value === 'string' ? value : ''}
        onChange={({ target }) => onChange(target.value === '' ? undefined : target.value)}
        isSmall
      />
    )
  return (
    <TextInput
      aria-label={title}
      type="number"
      step={kind === 'integer' ? 1 : 'any'}
      min={min}
      max={max}
      value={typeof value === 'number' ? value : ''}
      onChange={({ target }) => onChange(Number.isNaN(target.valueAsNumber) ? undefined : target.valueAsNumber)}
      isSmall
      className="w-40"
    />
  )
}
