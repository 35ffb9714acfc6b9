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
import { cx } from '../../ui/cx.ts'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { randomId } from '../random-id.ts'

export function AskForm({ agent, initialQuestion, isOffline }: { agent: Agent; initialQuestion: string; isOffline: boolean }) {
  const { t } = useTexts()
  const router = useRouter()
  const mayStart = usePermission('runs:write')
  const isFunction = agent.manifest?.shape === 'function'
  const examples = agent.manifest?.examples ?? []
  // A function says by its examples what it takes. Where all of them are JSON, text would only fail later.
  const takesJson = isFunction && examples.length > 0 && examples.every((example) => jsonProblem(example) === undefined)
  const [question, setQuestion] = useState(() => (takesJson ? indented(initialQuestion || (examples[0] ?? '')) : initialQuestion))
  // One key for each question that is being asked: pressing twice, or again after a lost connection, starts one run.
  const attempt = useRef<{ question: string; idempotencyKey: string }>(undefined)
  const box = useRef<HTMLTextAreaElement>(null)

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

  const problem = takesJson && question.trim() !== '' ? jsonProblem(question) : undefined
  const reason = whyNot()
  function whyNot(): string | undefined {
    if (!mayStart) return t('common.noPermission', { permission: 'runs:write' })
    if (agent.status === 'broken') return t('home.agentBroken')
    if (agent.status === 'starting') return t('home.notReady', { agent: agent.name })
    if (takesJson && question.trim() === '') return t('home.emptyJson')
    if (problem !== undefined) return t('home.badJson', { message: problem })
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
    // JSON has lines.
    if (takesJson && !event.ctrlKey && !event.metaKey) return
    event.preventDefault()
    ask()
  }
  const take = (example: string) => {
    setQuestion(takesJson ? indented(example) : example)
    box.current?.focus()
  }

  return (
    <div className="space-y-4">
      <form onSubmit={submit} className="space-y-3">
        <div className="rounded-lg border border-field bg-surface transition-colors focus-within:border-accent focus-within:shadow-[0_0_0_1px_var(--color-accent)]">
          <label htmlFor="question" className="sr-only">
            {t(takesJson ? 'home.jsonInput' : 'home.question')}
          </label>
          <textarea
            id="question"
            ref={box}
            rows={2}
            spellCheck={!takesJson}
            aria-invalid={problem !== undefined}
            aria-describedby="question-problem"
            // On a phone the keyboard would cover the page before it was seen.
            autoFocus={matchMedia('(pointer: fine)').matches}
            maxLength={100_000}
            value={question}
            placeholder={t(isFunction ? 'home.functionPlaceholder' : 'home.placeholder', { agent: agent.name })}
            onChange={(event) => setQuestion(event.target.value)}
            onKeyDown={onKeyDown}
            className={cx(
              'field-sizing-content block max-h-72 min-h-18 w-full resize-none bg-transparent px-4 pt-3 outline-none',
              takesJson ? 'font-mono text-sm' : 'text-lg',
            )}
          />
          <div className="flex items-center justify-between gap-3 p-2 pl-4">
            <p className="flex min-w-0 items-center gap-2 text-xs text-ink-3">
              {isOffline && !isFunction ? (
                <Tag tone="warn">{t('run.offline')}</Tag>
              ) : (
                <span className="hidden sm:inline">{t(takesJson ? 'home.jsonHint' : 'home.hint')}</span>
              )}
            </p>
            <Button type="submit" look="primary" disabledBecause={reason} isBusy={start.isPending}>
              {t(isFunction ? 'home.start' : 'home.submit')}
              <CornerDownLeft size={14} aria-hidden />
            </Button>
          </div>
        </div>
        <p id="question-problem" role="status" className="text-sm text-bad empty:hidden">
          {problem !== undefined && t('home.badJson', { message: problem })}
        </p>
        {start.isError && <RequestError error={start.error} />}
      </form>
      {examples.length > 0 && (
        <section aria-labelledby="examples">
          <h3 id="examples" className="mb-1 text-xs text-ink-3">
            {t('home.examples')}
          </h3>
          <ul>
            {examples.map((example) => (
              <li key={example}>
                <button
                  type="button"
                  onClick={() => take(example)}
                  className="group -mx-2 flex w-[calc(100%+1rem)] items-center gap-2.5 rounded-md px-2 py-1 text-left text-sm hover:bg-hover"
                >
                  <ArrowRight size={14} aria-hidden className="shrink-0 text-ink-3 transition-transform group-hover:translate-x-0.5 group-hover:text-accent" />
                  <span className={cx('min-w-0 break-words', takesJson && 'font-mono text-sm')}>{example}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}

/** Why a text is no JSON, as the browser words it; undefined when it is. */
function jsonProblem(text: string): string | undefined {
  try {
    JSON.parse(text)
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** For editing, each field on a line of its own. What is no JSON stays as it is. */
const indented = (text: string): string => (jsonProblem(text) === undefined ? JSON.stringify(JSON.parse(text), null, 2) : text)

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return text || null // Not JSON, so it is meant as text.
  }
}
