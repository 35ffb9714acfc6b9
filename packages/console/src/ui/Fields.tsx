import { ChevronDown } from 'lucide-react'
import type { ComponentProps } from 'react'
import { cx } from './cx.ts'

const edge = 'w-full rounded-md border border-field bg-surface text-ink transition-colors focus-visible:border-accent focus-visible:outline-offset-0'

export function TextInput({ className, isSmall = false, ...rest }: ComponentProps<'input'> & { isSmall?: boolean }) {
  return <input className={cx(edge, 'px-3', isSmall ? 'h-8 text-sm' : 'h-9', className)} {...rest} />
}

export function TextArea({ className, ...rest }: ComponentProps<'textarea'>) {
  return <textarea className={cx(edge, 'px-3 py-2', className)} {...rest} />
}

export type Option<Value extends string> = { value: Value; label: string }

/** The browser's own list: it knows every keyboard and every phone. */
export function Select<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: Value
  options: readonly Option<Value>[]
  onChange: (value: Value) => void
}) {
  return (
    <label className="relative inline-flex items-center">
      <span className="sr-only">{label}</span>
      <select
        value={value}
        onChange={(event) => onChange(event.target.value as Value)} // One of the options, which are values.
        className="h-8 appearance-none rounded-md border border-line-strong bg-surface pr-8 pl-3 text-sm hover:bg-hover"
      >
        {options.map((option) => (
          <option key={option.value} value={option.value}>
            {option.label}
          </option>
        ))}
      </select>
      <ChevronDown size={14} aria-hidden className="pointer-events-none absolute right-2.5 text-ink-3" />
    </label>
  )
}

/** A few choices side by side, one of them taken. */
export function Segmented<Value extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: Value
  options: readonly Option<Value>[]
  onChange: (value: Value) => void
}) {
  return (
    <div role="group" aria-label={label} className="inline-flex rounded-md border border-line bg-sunken p-0.5">
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          aria-pressed={option.value === value}
          onClick={() => onChange(option.value)}
          className="h-6 rounded-sm border border-transparent px-2 text-xs whitespace-nowrap text-ink-2 hover:text-ink aria-pressed:border-line aria-pressed:bg-surface aria-pressed:font-medium aria-pressed:text-ink"
        >
          {option.label}
        </button>
      ))}
    </div>
  )
}
