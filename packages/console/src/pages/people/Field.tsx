import { useId } from 'react'
import type { ComponentProps } from 'react'
import { TextInput } from '../../ui/Fields.tsx'

type Props = Omit<ComponentProps<'input'>, 'onChange' | 'value'> & { label: string; hint?: string; value: string; onText(text: string): void }

/** A line to fill in, with what it is called above it. */
export function Field({ label, hint, onText, ...rest }: Props) {
  const id = useId()
  return (
    <div>
      <label htmlFor={id} className="mb-1.5 block text-sm font-medium">
        {label}
      </label>
      <TextInput id={id} spellCheck={false} aria-describedby={hint ? `${id}-hint` : undefined} onChange={(event) => onText(event.target.value)} {...rest} />
      {hint && (
        <p id={`${id}-hint`} className="mt-1 text-xs text-ink-2">
          {hint}
        </p>
      )}
    </div>
  )
}
