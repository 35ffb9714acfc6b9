import { useEffect, useState } from 'react'
import { TextInput } from '../ui/Fields.tsx'

type Props = { label: string; value: string; onChange: (value: string) => void; className?: string }

/** Follows what is typed after a pause, and the address when it changes. */
export function SearchField({ label, value, onChange, className = 'w-full sm:w-56' }: Props) {
  const [text, setText] = useState(value)
  useEffect(() => setText(value), [value])
  useEffect(() => {
    if (text.trim() === value) return
    const timer = setTimeout(() => onChange(text.trim()), 350)
    return () => clearTimeout(timer)
  }, [text]) // eslint-disable-line
  return (
    <TextInput
      type="search"
      aria-label={label}
      placeholder={label}
      maxLength={200}
      isSmall
      value={text}
      onChange={(event) => setText(event.target.value)}
      className={className}
    />
  )
}
