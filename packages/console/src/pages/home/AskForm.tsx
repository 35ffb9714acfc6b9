import type { Agent, Json } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { ArrowRight, CornerDownLeft } from 'lucide-react'
import { useRef, useState } from 'react'
import type { FormEvent, KeyboardEvent } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { acceptRun } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'

export function AskForm({ agent, initialQuestion, isOffline }: { agent: Agent; initialQuestion: string; isOffline: boolean }) {
  const { t } = useTexts()
  const router = useRouter()
  const mayStart = usePermission('runs:write')
  const [question, setQuestion] = useState(initialQuestion)
  // One key for each question that is being asked: pressing twice, or again after a lost connection, starts one run.
  const attempt = useRef<{ question: string; idempotencyKey: string }>(undefined)
  const box = useRef<HTMLTextAreaElement>(null)
  const isFunction = agent.manifest?.shape === 'function'

  const start = useMutation({
    mutationFn: (text: string) => {
      if (attempt.current?.question !== text) attempt.current = { question: text, idempotencyKey: randomId() }
      return client.runs.start({ agent: agent.name, input: isFunction ? jsonOrText(text) : text, idempotencyKey: attempt.current.idempotencyKey })
    },
    onSuccess: (run) => {
      acceptRun(run)
      void router.navigate({ href: paths.run(run.id) })
    },
  })

  const reason = whyNot()
  function whyNot(): string | undefined {
    if (!mayStart) return t('common.noPermission', { permission: 'runs:write' })
    if (agent.status === 'broken') return t('home.agentBroken')
    if (agent.status === 'starting') return t('home.notReady', { agent: agent.name })
    if (!isFunction && question.trim() === '') return t('home.empty')
    return undefined
  }
  const ask = () => {
    if (reason === undefined && !start.isPending) start.mutate(question.trim())
  }
  const submit = (event: FormEvent) => (event.preventDefault(), ask())
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter also ends the choice of a Chinese character; that one is not for us.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    ask()
  }
  const take = (example: string) => {
    setQuestion(example)
    box.current?.focus()
  }

  return (
    <div className="space-y-6">
      <form onSubmit={submit} className="space-y-3">
        <div className="rounded-lg border border-field bg-surface transition-colors focus-within:border-accent focus-within:shadow-[0_0_0_1px_var(--color-accent)]">
          <label htmlFor="question" className="sr-only">
            {t('home.question')}
          </label>
          <textarea
            id="question"
            ref={box}
            rows={3}
            // On a phone the keyboard would cover the page before it was seen.
            autoFocus={matchMedia('(pointer: fine)').matches}
            maxLength={100_000}
            value={question}
            placeholder={t(isFunction ? 'home.functionPlaceholder' : 'home.placeholder', { agent: agent.name })}
            onChange={(event) => setQuestion(event.target.value)}
            onKeyDown={onKeyDown}
            className="field-sizing-content block max-h-72 min-h-24 w-full resize-none bg-transparent px-4 pt-3 text-lg outline-none"
          />
          <div className="flex items-center justify-between gap-3 p-2 pl-4">
            <p className="flex min-w-0 items-center gap-2 text-xs text-ink-3">
              {isOffline && !isFunction ? <Tag tone="warn">{t('run.offline')}</Tag> : <span className="hidden sm:inline">{t('home.hint')}</span>}
            </p>
            <Button type="submit" look="primary" disabledBecause={reason} isBusy={start.isPending}>
              {t(isFunction ? 'home.start' : 'home.submit')}
              <CornerDownLeft size={14} aria-hidden />
            </Button>
          </div>
        </div>
        {start.isError && <RequestError error={start.error} />}
      </form>
      {agent.manifest && agent.manifest.examples.length > 0 && (
        <section aria-labelledby="examples">
          <h2 id="examples" className="mb-1 text-sm font-semibold text-ink-2">
            {t('home.examples')}
          </h2>
          <ul>
            {agent.manifest.examples.map((example) => (
              <li key={example}>
                <button type="button" onClick={() => take(example)} className="group -mx-2 flex w-[calc(100%+1rem)] items-center gap-3 rounded-md px-2 py-2 text-left hover:bg-hover">
                  <ArrowRight size={14} aria-hidden className="shrink-0 text-ink-3 transition-transform group-hover:translate-x-0.5 group-hover:text-accent" />
                  <span className="min-w-0">{example}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

/** `crypto.randomUUID` exists only in secure contexts; a console on another machine's plain HTTP has none. */
const randomId = (): string => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('')

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return text || null // Not JSON, so it is meant as text.
  }
}
