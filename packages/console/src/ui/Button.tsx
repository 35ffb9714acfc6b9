import type { ComponentProps, ReactNode } from 'react'
import { cx } from './cx.ts'
import { Hint } from './Hint.tsx'

type Look = 'primary' | 'secondary' | 'quiet' | 'danger'
const looks: Record<Look, string> = {
  primary: 'bg-accent text-on-accent hover:bg-accent-strong border-transparent',
  secondary: 'bg-surface text-ink border-line-strong hover:bg-hover',
  quiet: 'bg-transparent text-ink-2 border-transparent hover:bg-hover hover:text-ink',
  danger: 'bg-surface text-bad border-line-strong hover:bg-bad-soft hover:border-bad/40',
}
const shape = 'inline-flex shrink-0 items-center justify-center gap-1.5 rounded-md border font-medium whitespace-nowrap transition-colors select-none'
const sizes = { sm: 'h-7 px-2 text-xs', md: 'h-8 px-3 text-sm', lg: 'h-10 px-4 text-base' }
const disabledLook = 'aria-disabled:cursor-not-allowed aria-disabled:bg-sunken aria-disabled:text-ink-3 aria-disabled:border-line aria-disabled:hover:bg-sunken'

export type ButtonProps = Omit<ComponentProps<'button'>, 'disabled' | 'className'> & {
  look?: Look
  size?: keyof typeof sizes
  /** Why it cannot be used now. Given, the button stays reachable by keyboard and says so, but does nothing. */
  disabledBecause?: string | undefined
  isBusy?: boolean
  className?: string
}

export function Button({ look = 'secondary', size = 'md', disabledBecause, isBusy = false, className, onClick, type = 'button', ...rest }: ButtonProps) {
  const isDisabled = disabledBecause !== undefined || isBusy
  const button = (
    <button
      type={isDisabled && type === 'submit' ? 'button' : type}
      aria-disabled={isDisabled || undefined}
      aria-description={disabledBecause}
      aria-busy={isBusy || undefined}
      className={cx(shape, sizes[size], looks[look], disabledLook, className)}
      {...(isDisabled ? {} : { onClick })}
      {...rest}
    />
  )
  return disabledBecause ? <Hint text={disabledBecause}>{button}</Hint> : button
}

/** A square button with an icon alone; `label` is what it does. */
export function IconButton({
  label,
  children,
  size = 'md',
  className,
  disabledBecause,
  onClick,
  ...rest
}: Omit<ButtonProps, 'aria-label' | 'isBusy' | 'look' | 'type'> & { label: string; children: ReactNode }) {
  const isDisabled = disabledBecause !== undefined
  return (
    <Hint text={disabledBecause ?? label}>
      <button
        type="button"
        aria-label={label}
        aria-disabled={isDisabled || undefined}
        aria-description={disabledBecause}
        className={cx(shape, looks.quiet, size === 'sm' ? 'size-6' : 'size-8', 'aria-disabled:cursor-not-allowed aria-disabled:opacity-50', className)}
        onClick={isDisabled ? undefined : onClick}
        {...(rest['aria-pressed'] === undefined ? {} : { 'aria-pressed': rest['aria-pressed'] })}
      >
        {children}
      </button>
    </Hint>
  )
}

/** The look of a button for links. */
export const buttonClass = (look: Look = 'secondary', size: keyof typeof sizes = 'md'): string => cx(shape, sizes[size], looks[look])
