import { ModelReply, Prompt } from '@longhaul/protocol'
import type { Message, ToolDefinition } from '@longhaul/protocol'
import { ChevronRight } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import type { Entry } from '../../../timeline/index.ts'
import { cx } from '../../../ui/cx.ts'
import { formatCount, formatUsd } from '../../../ui/format.ts'
import { Tag } from '../../../ui/State.tsx'
import { AttachmentList } from '../../attachments/AttachmentList.tsx'
import { FieldsView, JsonView } from '../../JsonView.tsx'
import { FailureView } from '../OutcomeView.tsx'
import { isOffline } from '../run-facts.ts'
import { Facts, Value } from './parts.tsx'
import { RouteView } from './RouteView.tsx'
import type { Step } from './parts.tsx'

/** A model call: the response first, then the exact prompt, message by message, with what was new in this call marked. */
export function ModelDetail({ step, entry, facts }: { step: Step; entry: Entry; facts: readonly [string, ReactNode][] }) {
  const { t, locale } = useTexts()
  const prompt = Prompt.safeParse(step.input)
  const reply = ModelReply.safeParse(step.output)
  const done = reply.success ? reply.data : undefined
  const more: [string, ReactNode][] = []
  if (done) {
    const asked = prompt.success && prompt.data.model !== done.model ? t('detail.asked', { model: prompt.data.model }) : undefined
    more.push([t('detail.model'), <span title={asked}>{done.model}</span>])
    const cached = done.usage.cachedInput > 0 ? ` (${t('detail.cached', { cached: formatCount(done.usage.cachedInput, locale) })})` : ''
    more.push([
      t('detail.tokens'),
      t('run.tokensValue', { input: formatCount(done.usage.input, locale) + cached, output: formatCount(done.usage.output, locale) }),
    ])
    more.push([t('detail.cost'), done.usage.costUsd === null ? t('common.unpriced') : formatUsd(done.usage.costUsd, locale)])
    more.push([t('detail.finish'), t(`detail.finishReason.${done.finishReason}`)])
  }
  return (
    <>
      <Facts facts={[...facts, ...more]} />
      {done && isOffline(done.model) && <Tag tone="warn">{t('run.offline')}</Tag>}
      {step.failure && <FailureView failure={step.failure} title={t('detail.error')} />}
      {step.route && <RouteView route={step.route} />}
      <section className="space-y-2">
        <h4 className="text-sm font-semibold">{t('detail.response')}</h4>
        {done ? (
          <MessageView message={{ role: 'assistant', content: done.content }} />
        ) : entry.live?.text ? (
          <p className="whitespace-pre-wrap">{entry.live.text}</p>
        ) : (
          <p className="text-sm text-ink-3">{t('detail.notYet')}</p>
        )}
      </section>
      {prompt.success ? (
        <PromptView prompt={prompt.data} newCount={newCountOf(prompt.data)} />
      ) : (
        step.input !== null && <Value title={t('detail.prompt')} value={step.input} />
      )}
    </>
  )
}

/** How many messages this call added: those after the model's last word. Of a conversation's first call none is marked. */
function newCountOf({ messages }: Prompt): number {
  const last = messages.findLastIndex((message) => message.role === 'assistant')
  return last < 0 ? 0 : messages.length - 1 - last
}

function PromptView({ prompt, newCount }: { prompt: Prompt; newCount: number }) {
  const { t } = useTexts()
  const [isWhole, setWhole] = useState(newCount === 0)
  const earlier = prompt.messages.length - newCount
  return (
    <section className="space-y-2">
      <h4 className="text-sm font-semibold">
        {t('detail.prompt')}
        {prompt.outputTokensMax !== undefined && (
          <span className="ml-2 font-normal text-ink-3">{t('detail.outputMax', { tokens: prompt.outputTokensMax })}</span>
        )}
      </h4>
      <Fold
        title={t('detail.instructions')}
        aside={prompt.instructions ? t('detail.chars', { count: prompt.instructions.length }) : t('detail.noInstructions')}
      >
        <p className="text-sm whitespace-pre-wrap">{prompt.instructions}</p>
      </Fold>
      <Fold title={t('detail.tools')} aside={prompt.tools.map((tool) => tool.name).join(', ') || t('common.none')}>
        <div className="space-y-3">
          {prompt.tools.map((tool) => (
            <ToolView key={tool.name} tool={tool} />
          ))}
        </div>
      </Fold>
      {!isWhole && earlier > 0 && (
        <button
          type="button"
          onClick={() => setWhole(true)}
          className="w-full rounded-md border border-dashed border-line-strong px-3 py-1.5 text-left text-sm text-ink-2 hover:bg-hover"
        >
          {t('detail.earlier', { count: earlier })}
        </button>
      )}
      <ol className="space-y-2">
        {prompt.messages.map(
          (message, i) =>
            (isWhole || i >= earlier) && (
              <li key={i}>
                <MessageView message={message} isNew={newCount > 0 && i >= earlier} />
              </li>
            ),
        )}
      </ol>
    </section>
  )
}

function MessageView({ message, isNew = false }: { message: Message; isNew?: boolean }) {
  const { t } = useTexts()
  return (
    <article className={cx('overflow-hidden rounded-md border', isNew ? 'border-accent/50' : 'border-line')}>
      <header
        className={cx(
          'flex items-center justify-between border-b px-3 py-1 text-xs',
          isNew ? 'border-accent/30 bg-accent-soft text-accent' : 'border-line bg-sunken text-ink-2',
        )}
      >
        <span className="font-medium">{t(`detail.role.${message.role}`)}</span>
        {isNew && <span>{t('detail.isNew')}</span>}
      </header>
      <div className="space-y-2 p-3">
        {message.content.map((part, i) => {
          if (part.type === 'text')
            return (
              <p key={i} className="text-sm break-words whitespace-pre-wrap">
                {part.text}
              </p>
            )
          if (part.type === 'attachment') return <AttachmentList key={i} attachments={[part]} />
          const isCall = part.type === 'tool-call'
          return (
            <div key={i} className="space-y-1">
              <p className="flex items-baseline gap-1.5 text-sm">
                {isCall && <span className="text-ink-3">{t('detail.callsTool')}</span>}
                <span className="font-medium">{part.toolName}</span>
                {!isCall && part.isError && <Tag tone="warn">{t('detail.error')}</Tag>}
                <span className="min-w-0 truncate font-mono text-xs text-ink-3">{part.toolCallId}</span>
              </p>
              <FieldsView value={isCall ? part.input : part.output} />
            </div>
          )
        })}
        {message.content.length === 0 && <p className="text-sm text-ink-3">{t('detail.empty')}</p>}
      </div>
    </article>
  )
}

function ToolView({ tool }: { tool: ToolDefinition }) {
  return (
    <div className="space-y-1">
      <p className="text-sm font-medium">{tool.name}</p>
      <p className="text-sm text-ink-2">{tool.description}</p>
      <JsonView value={tool.inputSchema} />
    </div>
  )
}

function Fold({ title, aside, children }: { title: string; aside: string; children: ReactNode }) {
  return (
    <details className="group rounded-md border border-line">
      <summary className="flex h-8 list-none items-center gap-2 rounded-md px-2 text-sm hover:bg-hover">
        <ChevronRight size={14} aria-hidden className="shrink-0 text-ink-3 transition-transform group-open:rotate-90" />
        <span className="shrink-0 font-medium">{title}</span>
        <span className="min-w-0 flex-1 truncate text-right text-xs text-ink-3">{aside}</span>
      </summary>
      <div className="border-t border-line p-3">{children}</div>
    </details>
  )
}
