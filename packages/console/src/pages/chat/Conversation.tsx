import { isTerminal } from '@longhaul/protocol/plain'
import type { Agent, Run } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { BookOpenText, CornerDownLeft, Paperclip, Square } from 'lucide-react'
import { useLayoutEffect, useRef, useState } from 'react'
import type { ClipboardEvent, DragEvent, FormEvent, KeyboardEvent } from 'react'
import { sessionQuery, turnsMax } from '../../api/chat.ts'
import type { Prompt } from '../../api/chat.ts'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { acceptRun } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { Tag } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { AppLink } from '../AppLink.tsx'
import { UploadChips } from '../attachments/UploadChips.tsx'
import { useUploads } from '../attachments/use-uploads.ts'
import { randomId } from '../random-id.ts'
import { PromptDialog } from './PromptDialog.tsx'
import { Turn } from './Turn.tsx'

type ConversationProps = {
  agent: Agent
  session: string
  /** The name of the version that it is held with, where that is not the live one. */
  preview: string | undefined
  onBegun: () => void
}

export function Conversation({ agent, session, preview, onBegun }: ConversationProps) {
  const { t } = useTexts()
  const runs = useQuery(sessionQuery(agent.name, session))
  const last = runs.data?.items.at(-1)
  const end = useRef<HTMLDivElement>(null)
  const count = runs.data?.items.length ?? 0
  const isLong = useRef(false)
  useLayoutEffect(() => {
    // Down to a turn that was added, not when an old conversation is opened at its top.
    if (isLong.current) end.current?.scrollIntoView({ block: 'end' })
    isLong.current = runs.isSuccess
  }, [count, runs.isSuccess])
  return (
    <div className="flex min-h-[calc(100dvh-9rem)] min-w-0 flex-col">
      {preview !== undefined && <PreviewNote agent={agent.name} preview={preview} />}
      <div className="flex-1 space-y-8 pb-6" aria-label={t('chat.turns')} role="log">
        {runs.isPending && <Skeleton className="h-24" />}
        {runs.isError && !runs.data && <RequestError error={runs.error} />}
        {runs.data?.isCut && <p className="text-xs text-ink-3">{t('chat.cut', { count: turnsMax })}</p>}
        {runs.data?.items.map((run) => (
          <Turn key={run.id} run={run} />
        ))}
        {runs.data && count === 0 && (
          <div className="space-y-1 pt-2">
            <p className="text-lg font-medium">{t('chat.begin', { agent: agent.name })}</p>
            <p className="max-w-[60ch] text-sm text-ink-2">{agent.manifest?.description}</p>
            <p className="max-w-[60ch] text-sm text-ink-3">{t('chat.beginText')}</p>
          </div>
        )}
        <div ref={end} className="scroll-mb-40" />
      </div>
      <Composer agent={agent} session={session} preview={preview} last={last} onBegun={onBegun} />
    </div>
  )
}

function PreviewNote({ agent, preview }: { agent: string; preview: string }) {
  const { t } = useTexts()
  return (
    <p className="mb-4 flex flex-wrap items-center gap-x-3 gap-y-1 border-b border-line pb-3 text-sm text-ink-2">
      <Tag tone="accent">{preview}</Tag>
      {t('chat.preview')}
      <AppLink href={paths.chat({ agent })} className="text-accent hover:underline">
        {t('chat.toLive')}
      </AppLink>
    </p>
  )
}

function Composer({ agent, session, preview, last, onBegun }: ConversationProps & { last: Run | undefined }) {
  const { t } = useTexts()
  const mayStart = usePermission('runs:write')
  const mayOperate = usePermission('runs:operate')
  const queryClient = useQueryClient()
  const [text, setText] = useState('')
  const { uploads, add, retry, remove, clear } = useUploads()
  const picker = useRef<HTMLInputElement>(null)
  const [isOver, setOver] = useState(false)
  const [isPicking, setPicking] = useState(false)
  const servers = (agent.manifest?.connections ?? []).flatMap(({ name, connection: { kind } }) => (kind === 'openapi' ? [] : [name]))
  // Pressing twice, or again after a lost connection, says one thing once.
  const attempt = useRef<{ said: string; idempotencyKey: string }>(undefined)
  const refresh = (run: Run) => {
    acceptRun(run)
    return queryClient.invalidateQueries({ queryKey: ['runs'] })
  }
  const say = useMutation({
    mutationFn: ({ text: input, attachments, prompt }: { text: string; attachments: string[]; prompt?: Prompt }) => {
      const said = JSON.stringify([input, attachments, prompt])
      if (attempt.current?.said !== said) attempt.current = { said, idempotencyKey: randomId() }
      const { idempotencyKey } = attempt.current
      return client.runs.start({
        ...{ agent: agent.name, input, session, idempotencyKey },
        ...(attachments.length > 0 && { attachments }),
        ...(preview !== undefined && { preview }),
        ...(prompt && { prompt }),
      })
    },
    onSuccess: (run) => {
      setPicking(false)
      attempt.current = undefined
      setText('')
      clear()
      onBegun()
      return refresh(run)
    },
  })
  const stop = useMutation({ mutationFn: (run: Run) => client.runs.cancel({ runId: run.id }), onSuccess: refresh })
  const isOpen = last !== undefined && !isTerminal(last.state)
  const blocked = !mayStart
    ? t('common.noPermission', { permission: 'runs:write' })
    : agent.status === 'broken' && preview === undefined
      ? t('home.agentBroken')
      : uploads.some(({ error }) => error)
        ? t('chat.notSent')
        : uploads.some(({ attachment }) => !attachment)
          ? t('chat.stillSending')
          : undefined
  const reason = blocked ?? (text.trim() === '' && uploads.length === 0 ? t('chat.empty') : undefined)
  const said = (): { text: string; attachments: string[] } => ({ text: text.trim(), attachments: uploads.flatMap(({ attachment }) => attachment?.id ?? []) })
  const send = () => {
    if (reason === undefined && !say.isPending) say.mutate(said())
  }
  const onKeyDown = (event: KeyboardEvent) => {
    // Enter also ends the choice of a Chinese character; that one is not for us.
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return
    event.preventDefault()
    send()
  }
  const onPaste = (event: ClipboardEvent) => {
    // A copied text may come with a picture of itself; then the text is meant.
    const { files } = event.clipboardData
    if (!mayStart || files.length === 0 || event.clipboardData.getData('text/plain') !== '') return
    event.preventDefault()
    add(files)
  }
  const onDrag = (event: DragEvent) => {
    if (!mayStart || !event.dataTransfer.types.includes('Files')) return
    event.preventDefault()
    setOver(event.type === 'dragover')
    if (event.type === 'drop') add(event.dataTransfer.files)
  }
  return (
    <>
      {isPicking && (
        <PromptDialog
          agent={agent.name}
          connections={servers}
          isBusy={say.isPending}
          error={say.error}
          onSend={(prompt) => say.mutate({ ...said(), prompt })}
          onClose={() => setPicking(false)}
        />
      )}
      <form
        onSubmit={(event: FormEvent) => (event.preventDefault(), send())}
        onDragOver={onDrag}
        onDragLeave={onDrag}
        onDrop={onDrag}
        className="sticky bottom-0 space-y-2 bg-canvas pb-4"
      >
        {say.isError && <RequestError error={say.error} />}
        {stop.isError && <RequestError error={stop.error} />}
        <div
          className={cx(
            'relative rounded-lg border bg-surface transition-colors focus-within:border-accent focus-within:shadow-[0_0_0_1px_var(--color-accent)]',
            isOver ? 'border-accent' : 'border-field',
          )}
        >
          {isOver && (
            <p className="pointer-events-none absolute inset-0 z-10 flex items-center justify-center rounded-lg bg-accent-soft text-sm font-medium text-accent">
              {t('chat.drop')}
            </p>
          )}
          <UploadChips uploads={uploads} onRemove={remove} onRetry={retry} />
          <textarea
            rows={1}
            onPaste={onPaste}
            aria-label={t('chat.message')}
            placeholder={t('home.placeholder', { agent: agent.name })}
            maxLength={100_000}
            autoFocus={matchMedia('(pointer: fine)').matches}
            value={text}
            onChange={(event) => setText(event.target.value)}
            onKeyDown={onKeyDown}
            className="field-sizing-content block max-h-60 min-h-11 w-full resize-none bg-transparent px-4 pt-3 text-lg outline-none"
          />
          <div className="flex items-center justify-end gap-2 p-2">
            {mayStart && (
              <span className="mr-auto">
                <input
                  ref={picker}
                  type="file"
                  multiple
                  hidden
                  aria-label={t('chat.attach')}
                  onChange={(event) => {
                    add(event.target.files ?? [])
                    event.target.value = '' // The same file can be chosen again.
                  }}
                />
                <IconButton label={t('chat.attach')} onClick={() => picker.current?.click()}>
                  <Paperclip size={16} aria-hidden />
                </IconButton>
                {servers.length > 0 && (
                  <IconButton label={t('chat.prompt')} disabledBecause={blocked} onClick={() => setPicking(true)}>
                    <BookOpenText size={16} aria-hidden />
                  </IconButton>
                )}
              </span>
            )}
            {isOpen && (
              <Button
                disabledBecause={mayOperate ? undefined : t('common.noPermission', { permission: 'runs:operate' })}
                isBusy={stop.isPending}
                onClick={() => stop.mutate(last)}
              >
                <Square size={11} aria-hidden fill="currentColor" />
                {t('chat.stop')}
              </Button>
            )}
            <Button type="submit" look="primary" disabledBecause={reason} isBusy={say.isPending}>
              {t('chat.send')}
              <CornerDownLeft size={14} aria-hidden />
            </Button>
          </div>
        </div>
      </form>
    </>
  )
}
