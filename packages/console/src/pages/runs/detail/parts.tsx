import type { getStep } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import type { z } from 'zod'
import { useTexts } from '../../../i18n/index.ts'
import { CodeBlock } from '../../../ui/Code.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { FieldsView, JsonView } from '../../JsonView.tsx'

/** A step in full, as the API tells it. */
export type Step = z.infer<typeof getStep.output>

export function Facts({ facts }: { facts: readonly [string, ReactNode][] }) {
  return (
    <dl className="grid grid-cols-[repeat(auto-fill,minmax(8.5rem,1fr))] gap-x-4 gap-y-2 text-sm">
      {facts.map(([name, value]) => (
        <div key={name} className="min-w-0">
          <dt className="text-xs text-ink-3">{name}</dt>
          <dd className="break-words">{value}</dd>
        </div>
      ))}
    </dl>
  )
}

/** A value under its title, readable by default and `isRaw` to the letter. */
export function Value({ title, value, isRaw = false }: { title: string; value: unknown; isRaw?: boolean }) {
  const { t } = useTexts()
  return (
    <CodeBlock
      title={title}
      actions={
        <CopyButton
          isIconOnly
          getText={() => (typeof value === 'string' ? value : JSON.stringify(value, null, 2))}
          words={{ label: t('common.copy'), done: t('common.copied') }}
        />
      }
    >
      {value === '' ? <span className="text-xs text-ink-3">{t('detail.empty')}</span> : isRaw ? <JsonView value={value} /> : <FieldsView value={value} />}
    </CodeBlock>
  )
}
