import { memo, useMemo, useState } from 'react'
import type { ReactNode } from 'react'
import { jsonTokens, sqlTokens } from './code-tokens.ts'
import type { Token } from './code-tokens.ts'
import { Button } from './Button.tsx'
import { cx } from './cx.ts'

const inks: Record<Token['role'], string | undefined> = {
  plain: undefined,
  keyword: 'text-code-keyword',
  string: 'text-code-string',
  number: 'text-code-number',
  comment: 'text-ink-3 italic',
}

/** Longer code is first shown up to here: a browser lays out megabytes slowly, and nobody reads them. */
const charsMax = 20_000
/** Colours cost an element each. */
const colouredCharsMax = 60_000

export type CodeProps = { text: string; language?: 'sql' | 'json' | 'plain'; wraps?: boolean; words: { more: (chars: number) => string }; className?: string }

export const Code = memo(function Code({ text, language = 'plain', wraps = true, words, className }: CodeProps) {
  const [isWhole, setWhole] = useState(false)
  const shown = isWhole ? text : text.slice(0, charsMax)
  const tokens = useMemo(
    () => (language === 'plain' || shown.length > colouredCharsMax ? [] : language === 'sql' ? sqlTokens(shown) : jsonTokens(shown)),
    [shown, language],
  )
  return (
    <div className={cx('min-w-0', className)}>
      <pre tabIndex={0} className={cx('overflow-x-auto text-xs leading-5', wraps ? 'break-words whitespace-pre-wrap' : 'whitespace-pre')}>
        {tokens.length === 0
          ? shown
          : tokens.map(({ text: piece, role }, i) =>
              role === 'plain' ? (
                piece
              ) : (
                <span key={i} className={inks[role]}>
                  {piece}
                </span>
              ),
            )}
      </pre>
      {shown.length < text.length && (
        <Button size="sm" look="quiet" className="mt-2" onClick={() => setWhole(true)}>
          {words.more(text.length - shown.length)}
        </Button>
      )}
    </div>
  )
})

/** A titled block of code or output, with what can be done with it at the right of the title. */
export function CodeBlock({ title, actions, children, isDark = false }: { title: ReactNode; actions?: ReactNode; children: ReactNode; isDark?: boolean }) {
  return (
    <figure className="min-w-0 overflow-hidden rounded-md border border-line">
      <figcaption className="flex min-h-8 items-center justify-between gap-2 border-b border-line bg-sunken pr-1 pl-3 text-xs text-ink-2">
        <span className="min-w-0 truncate">{title}</span>
        <span className="flex items-center">{actions}</span>
      </figcaption>
      <div className={cx('p-3', isDark ? 'bg-sunken' : 'bg-surface')}>{children}</div>
    </figure>
  )
}
