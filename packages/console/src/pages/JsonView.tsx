import { useMemo } from 'react'
import { useTexts } from '../i18n/index.ts'
import { Code } from '../ui/Code.tsx'

/** Any value as indented JSON; a text as it is, with its line breaks. */
export function JsonView({ value }: { value: unknown }) {
  const { t } = useTexts()
  const text = useMemo(() => (typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '')), [value])
  return <Code text={text} language={typeof value === 'string' ? 'plain' : 'json'} words={{ more: (chars) => t('common.more', { chars }) }} />
}
