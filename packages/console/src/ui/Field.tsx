import { useId } from 'react'
import type { ComponentProps, ReactNode } from 'react'
import { cx } from './cx.ts'
import { TextInput } from './Fields.tsx'

type FieldProps = {
  label: string
  hint?: ReactNode
  error?: string | undefined
  children: (ids: { id: string; 'aria-describedby': string | undefined; 'aria-invalid': true | undefined }) => ReactNode
}

/** One question of a form: its name above, what helps to answer it below, and in its place what is wrong. */
export function Field({ label, hint, error, children }: FieldProps) {
  const id = useId()
  const hasNote = error !== undefined || hint !== undefined
  return (
    <div className="space-y-1.5 text-sm">
      <label htmlFor={id} className="block font-medium">
        {label}
      </label>
      {children({ id, 'aria-describedby': hasNote ? `${id}-note` : undefined, 'aria-invalid': error === undefined ? undefined : true })}
      {hasNote && (
        <p id={`${id}-note`} className={cx('text-xs', error === undefined ? 'text-ink-3' : 'text-bad')}>
          {error ?? hint}
        </p>
      )}
    </div>
  )
}

type TextFieldProps = Omit<ComponentProps<'input'>, 'onChange' | 'value'> & { label: string; hint?: string; value: string; onText(text: string): void }

/** A line to fill in. */
export function TextField({ label, hint, onText, ...rest }: TextFieldProps) {
  return (
    <Field label={label} hint={hint}>
      {(ids) => <TextInput {...ids} spellCheck={false} onChange={(event) => onText(event.target.value)} {...rest} />}
    </Field>
  )
}

/** Several controls that answer one question. */
export function FieldSet({ label, hint, children }: { label: string; hint?: ReactNode; children: ReactNode }) {
  return (
    <fieldset className="min-w-0 space-y-1.5 text-sm">
      <legend className="font-medium">{label}</legend>
      {hint && <p className="text-xs text-ink-3">{hint}</p>}
      {children}
    </fieldset>
  )
}

/** A list of options with the browser's own control, as wide as its form. */
export function SelectField({ className, ...rest }: ComponentProps<'select'>) {
  return (
    <select
      className={cx('h-9 w-full rounded-md border border-field bg-surface px-2 text-ink focus-visible:border-accent focus-visible:outline-offset-0', className)}
      {...rest}
    />
  )
}

export type Choice<Value extends string> = { value: Value; label: string; text?: string; blockedBecause?: string | undefined }

/** One of several, each in a line that says what it means. */
export function RadioList<Value extends string>({
  name,
  value,
  choices,
  onChange,
}: {
  name: string
  value: Value
  choices: readonly Choice<Value>[]
  onChange: (value: Value) => void
}) {
  return (
    <div className="divide-y divide-line rounded-md border border-line">
      {choices.map((choice) => (
        <label key={choice.value} className={cx('flex items-baseline gap-2.5 px-3 py-1.5', choice.blockedBecause ? 'text-ink-3' : 'hover:bg-hover')}>
          <input
            type="radio"
            name={name}
            value={choice.value}
            checked={choice.value === value}
            disabled={choice.blockedBecause !== undefined}
            onChange={() => onChange(choice.value)}
            className="translate-y-0.5 accent-accent"
          />
          <span className="w-28 shrink-0 font-medium">{choice.label}</span>
          <span className="min-w-0 text-xs text-ink-3">{choice.blockedBecause ?? choice.text}</span>
        </label>
      ))}
    </div>
  )
}

/** Any of several. */
export function CheckList<Value extends string>({
  values,
  choices,
  onChange,
  isMono = false,
}: {
  values: readonly Value[]
  choices: readonly Choice<Value>[]
  onChange: (values: Value[]) => void
  isMono?: boolean
}) {
  return (
    <div className="grid gap-x-4 gap-y-1 sm:grid-cols-2">
      {choices.map((choice) => (
        <Check
          key={choice.value}
          isMono={isMono}
          label={choice.label}
          isChecked={values.includes(choice.value)}
          blockedBecause={choice.blockedBecause}
          onChange={(isChecked) => onChange(isChecked ? [...values, choice.value] : values.filter((one) => one !== choice.value))}
        />
      ))}
    </div>
  )
}

export function Check({
  label,
  isChecked,
  onChange,
  blockedBecause,
  isMono = false,
}: {
  label: string
  isChecked: boolean
  onChange: (isChecked: boolean) => void
  blockedBecause?: string | undefined
  isMono?: boolean
}) {
  return (
    <label className={cx('flex items-baseline gap-2 text-sm', blockedBecause && 'text-ink-3')} title={blockedBecause}>
      <input
        type="checkbox"
        checked={isChecked}
        disabled={blockedBecause !== undefined}
        onChange={(event) => onChange(event.target.checked)}
        className="translate-y-0.5 accent-accent"
      />
      <span className={cx('min-w-0 break-words', isMono && 'font-mono text-xs')}>{label}</span>
    </label>
  )
}
