import type { ComponentProps } from 'react'
import { cx } from './cx.ts'

type Props = Omit<ComponentProps<'textarea'>, 'value' | 'onChange' | 'className'> & {
  value: string
  onChange: (text: string) => void
  linesMin?: number
  isInvalid?: boolean
}

/** Text in lines with their numbers. As tall as what is in it, so that only the page scrolls; Tab leaves it, as it leaves every field. */
export function CodeEditor({ value, onChange, linesMin = 10, isInvalid = false, ...rest }: Props) {
  const lines = value.split('\n').length
  return (
    <div
      className={cx(
        'flex overflow-hidden rounded-md border bg-surface font-mono text-xs leading-5 focus-within:border-accent focus-within:outline-2 focus-within:outline-accent',
        isInvalid ? 'border-bad' : 'border-field',
      )}
    >
      <pre aria-hidden className="shrink-0 border-r border-line bg-sunken px-2.5 py-2 text-right text-[length:inherit] text-ink-3 select-none">
        {Array.from({ length: lines }, (_, i) => i + 1).join('\n')}
      </pre>
      <textarea
        value={value}
        onChange={(event) => onChange(event.target.value)}
        rows={Math.max(linesMin, lines)}
        wrap="off"
        spellCheck={false}
        autoCapitalize="off"
        autoComplete="off"
        aria-invalid={isInvalid || undefined}
        className="min-w-0 flex-1 resize-none overflow-x-auto overflow-y-hidden bg-transparent px-3 py-2 text-ink outline-none"
        {...rest}
      />
    </div>
  )
}
