import type { SandboxInfo, SandboxProcess } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { Square } from 'lucide-react'
import { useLayoutEffect, useRef, useState } from 'react'
import type { KeyboardEvent } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { processesQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { OutputView } from './OutputView.tsx'

/** Older commands are on the page of processes. */
const shownMax = 30
/** Each one that runs holds a connection, of which a browser has six for all of the page. */
const followedMax = 3
const home = '/workspace'

/**
 * Commands of this sandbox, oldest first, each a process of its own that outlives this page: whoever comes back sees how it goes on.
 * A change of folder is remembered here and given to the next command.
 */
export function TerminalView({ sandbox }: { sandbox: SandboxInfo }) {
  const { t } = useTexts()
  const processes = useQuery(processesQuery(sandbox.id))
  const shown = processes.data?.items.slice(0, shownMax).toReversed() ?? []
  const running = processes.data?.items.filter(({ state }) => state === 'running') ?? []
  const unfollowed = new Set(running.slice(followedMax))
  const scroller = useKeepAtEnd()
  return (
    <section
      aria-label={t('sandboxes.views.terminal')}
      className="flex h-[min(34rem,70dvh)] flex-col overflow-hidden rounded-lg border border-line bg-surface font-mono text-xs leading-5"
    >
      <div
        ref={scroller}
        tabIndex={0}
        role="log"
        aria-label={t('sandboxes.output')}
        className="min-h-0 flex-1 overflow-y-auto p-3 break-words focus-visible:-outline-offset-2"
      >
        {processes.isError && !processes.data && <RequestError error={processes.error} />}
        {processes.data && shown.length === 0 && <p className="text-ink-3">{t('sandboxes.terminalEmpty')}</p>}
        {shown.map((process) => (
          <div key={process.id} className="mb-2">
            <p className="text-ink">
              <span aria-hidden className="text-accent select-none">
                ${' '}
              </span>
              <span className="whitespace-pre-wrap">{process.command}</span>
            </p>
            {unfollowed.has(process) ? <p className="text-ink-3">{t('sandboxes.unfollowed')}</p> : <OutputView process={process} />}
          </div>
        ))}
      </div>
      <Prompt sandbox={sandbox} running={running[0]} history={shown.map(({ command }) => command)} />
    </section>
  )
}

function Prompt({ sandbox, running, history }: { sandbox: SandboxInfo; running: SandboxProcess | undefined; history: readonly string[] }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const mayWrite = usePermission('sandboxes:write')
  const [text, setText] = useState('')
  const [cwd, setCwd] = useState(home)
  const [back, setBack] = useState(0)
  const { queryKey } = processesQuery(sandbox.id)
  const refresh = () => queryClient.invalidateQueries({ queryKey })
  const send = useMutation({
    async mutationFn(script: string) {
      const folder = /^cd(?:\s+(.+))?$/.exec(script.trim())
      if (!folder) {
        const started = await client.sandboxes.start({ sandboxId: sandbox.id, script, cwd })
        queryClient.setQueryData(queryKey, (before) => ({ items: [started, ...(before?.items ?? [])] }))
        return
      }
      const { exitCode, stdout, stderr } = await client.sandboxes.exec({ sandboxId: sandbox.id, script: `cd ${folder[1] ?? home} && pwd`, cwd })
      if (exitCode !== 0) throw new Error(stderr.trim() || script)
      setCwd(stdout.trim())
    },
    onSuccess() {
      setText('')
      setBack(0)
    },
  })
  const kill = useMutation({ mutationFn: (processId: string) => client.sandboxes.kill({ sandboxId: sandbox.id, processId }), onSettled: refresh })
  const onKeyDown = (event: KeyboardEvent<HTMLInputElement>) => {
    if (event.key === 'c' && event.ctrlKey && running && window.getSelection()?.toString() === '') return kill.mutate(running.id)
    const step = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0
    if (step === 0) return
    event.preventDefault()
    const next = Math.max(0, Math.min(history.length, back + step))
    setBack(next)
    setText(next === 0 ? '' : (history.at(-next) ?? ''))
  }
  const blocked = mayWrite ? undefined : t('common.noPermission', { permission: 'sandboxes:write' })
  return (
    <div className="border-t border-line bg-sunken">
      {(send.isError || kill.isError) && (
        <div className="p-2 font-sans text-sm">
          <RequestError error={send.error ?? kill.error} />
        </div>
      )}
      <form
        className="flex items-center gap-2 p-1.5 pl-3"
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() !== '' && blocked === undefined && !send.isPending) send.mutate(text)
        }}
      >
        <span aria-hidden className="max-w-[40%] truncate text-ink-3">
          {cwd} <span className="text-accent">$</span>
        </span>
        <input
          aria-label={t('sandboxes.command')}
          aria-description={t('sandboxes.commandHint')}
          value={text}
          readOnly={blocked !== undefined}
          placeholder={blocked ?? t('sandboxes.commandPlaceholder')}
          autoCapitalize="off"
          autoComplete="off"
          spellCheck={false}
          maxLength={200_000}
          onChange={(event) => setText(event.target.value)}
          onKeyDown={onKeyDown}
          className="h-7 min-w-0 flex-1 bg-transparent outline-none"
        />
        {running ? (
          <Button size="sm" look="danger" className="font-sans" disabledBecause={blocked} isBusy={kill.isPending} onClick={() => kill.mutate(running.id)}>
            <Square size={10} aria-hidden fill="currentColor" />
            {t('sandboxes.kill')}
          </Button>
        ) : (
          <Button size="sm" type="submit" className="font-sans" disabledBecause={blocked} isBusy={send.isPending}>
            {t('sandboxes.run')}
          </Button>
        )}
      </form>
    </div>
  )
}

/** Follows what is written as long as its reader is at the end; whoever scrolled up keeps what they read. */
function useKeepAtEnd() {
  const scroller = useRef<HTMLDivElement>(null)
  useLayoutEffect(() => {
    const element = scroller.current
    if (!element) return
    let isAtEnd = true
    const onScroll = () => (isAtEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 24)
    const observer = new MutationObserver(() => {
      if (isAtEnd) element.scrollTop = element.scrollHeight
    })
    observer.observe(element, { childList: true, subtree: true, characterData: true })
    element.addEventListener('scroll', onScroll, { passive: true })
    return () => {
      observer.disconnect()
      element.removeEventListener('scroll', onScroll)
    }
  }, [])
  return scroller
}
