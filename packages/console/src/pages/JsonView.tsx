import { useMemo } from 'react'
import { useTexts } from '../i18n/index.ts'
import { Code } from '../ui/Code.tsx'

/** Any value as indented JSON; a text as it is, with its line breaks. */
export function JsonView({ value }: { value: unknown }) {
  const { t } = useTexts()
  const text = useMemo(() => (typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '')), [value])
  return <Code text={text} language={typeof value === 'string' ? 'plain' : 'json'} words={{ more: (chars) => t('common.more', { chars }) }} />
}

/** An object of plain values as names and values, for people who decide; anything else as JSON. */
export function PlainView({ value }: { value: unknown }) {
  const fields = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  if (fields.length === 0 || fields.length > 30 || fields.some(([, inner]) => typeof inner === 'object' && inner !== null)) return <JsonView value={value} />
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1 text-sm">
      {fields.map(([name, inner]) => (
        <div key={name} className="contents">
          <dt className="text-ink-2">{name}</dt>
          <dd className="break-words whitespace-pre-wrap">{String(inner)}</dd>
        </div>
      ))}
    </dl>
  )
}

/**
 * The same for reading: an object that holds longer texts (a script, a query, a message) is shown field by field, the texts with their real
 * line breaks. In JSON they would be one long line of `\n`.
 */
export function FieldsView({ value }: { value: unknown }) {
  const { t } = useTexts()
  const fields = typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.entries(value) : []
  if (fields.length === 0 || fields.length > 20 || !fields.some(([, inner]) => typeof inner === 'string' && inner.includes('\n')))
    return <JsonView value={value} />
  return (
    <dl className="space-y-2">
      {fields.map(([name, inner]) => (
        <div key={name}>
          <dt className="text-xs text-ink-3">{name}</dt>
          <dd>
            {typeof inner === 'string' && name === 'sql' ? (
              <Code text={inner} language="sql" words={{ more: (chars) => t('common.more', { chars }) }} />
            ) : (
              <JsonView value={inner} />
            )}
          </dd>
        </div>
      ))}
    </dl>
  )
}
