import { ExecRequest, ExecResult, FilesRequest, InvokeRequest, ModelReply } from '@longhaul/protocol'
import type { Json } from '@longhaul/protocol'
import type { Translate } from '../../i18n/index.ts'
import type { Entry, EntryState } from '../../timeline/index.ts'
import type { Tone } from '../../ui/State.tsx'
import { briefJson } from './run-facts.ts'

/** What an entry is called and what is worth saying of it in one line. */
export type EntryWords = { title: string; summary: string; isCode: boolean }

export const entryTones: Record<EntryState, Tone> = {
  running: 'active',
  retrying: 'retrying',
  waiting: 'waiting',
  interrupted: 'warn',
  completed: 'good',
  failed: 'bad',
  abandoned: 'off',
}

export function wordsOf(entry: Entry, t: Translate): EntryWords {
  const { subject } = entry
  if (entry.live) return { title: titleOf(entry, t), summary: lastLine(entry.live.text || entry.live.stderr || entry.live.stdout), isCode: !entry.live.text }
  if (entry.failure) return { title: titleOf(entry, t), summary: entry.failure.message, isCode: false }
  if (subject.type === 'step') return { title: titleOf(entry, t), ...stepSummary(entry, t) }
  return { title: titleOf(entry, t), summary: otherSummary(entry, t), isCode: false }
}

export function titleOf({ subject, name, key }: Entry, t: Translate): string {
  switch (subject.type) {
    case 'step':
      return subject.kind === 'tool' || subject.kind === 'step' || subject.kind === 'call' ? name : t(`entry.${subject.kind}`)
    case 'wait':
      return t(`entry.${subject.kind}`)
    case 'branch':
      return /\.\d+$/.test(key) ? t('entry.branch', { number: Number(key.split('.').at(-1)) + 1 }) : t('entry.parallel')
    case 'mark':
      switch (subject.event) {
        case 'run.started':
          return t('entry.started')
        case 'run.interrupted':
          return t(name === 'worker_hung' ? 'entry.hung' : 'entry.interrupted')
        case 'run.resumed':
          return t('entry.resumed')
        case 'run.completed':
          return t('entry.completed')
        case 'run.failed':
          return t('entry.failed')
        case 'run.cancelled':
          return t('entry.cancelled')
        case 'signal.received':
          return t('entry.received')
      }
  }
}

function stepSummary({ subject, name, input, output, state }: Entry, t: Translate): { summary: string; isCode: boolean } {
  if (subject.type !== 'step') return { summary: '', isCode: false }
  switch (subject.kind) {
    case 'model': {
      const reply = ModelReply.safeParse(output)
      if (!reply.success) return { summary: state === 'running' ? t('entry.thinking') : '', isCode: false }
      const calls = reply.data.content.flatMap((part) => (part.type === 'tool-call' ? [part.toolName] : []))
      const said = reply.data.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join(' ')
      return {
        summary: calls.length > 0 ? [t('entry.calls', { tools: counted(calls) }), oneLine(said)].filter(Boolean).join(' · ') : oneLine(said),
        isCode: false,
      }
    }
    case 'exec': {
      const request = ExecRequest.safeParse(input)
      const command = request.success ? ('script' in request.data ? request.data.script : [request.data.cmd, ...request.data.args].join(' ')) : name
      return { summary: oneLine(command), isCode: true }
    }
    case 'files': {
      const request = FilesRequest.safeParse(input)
      if (!request.success) return { summary: name, isCode: false }
      const { data } = request
      if (data.action === 'write')
        return { summary: `${t('entry.wrote', { count: data.files.length })}: ${data.files.map((file) => file.path).join(', ')}`, isCode: false }
      return { summary: t(data.action === 'read' ? 'entry.read' : 'entry.list', { path: data.path }), isCode: false }
    }
    case 'run':
      return { summary: name, isCode: false }
    case 'artifact':
      return { summary: textField(input, 'name') ?? name, isCode: false }
    case 'connect':
      return { summary: name, isCode: false }
    case 'invoke':
      return { summary: oneLine(briefJson(questionOf(input))), isCode: true }
    case 'tool':
    case 'call':
    case 'step':
      return { summary: input === undefined || input === null ? '' : oneLine(briefJson(input)), isCode: true }
  }
}

function otherSummary({ subject, name, input, output, wait, children }: Entry, t: Translate): string {
  if (subject.type === 'wait') return wait?.reason ? t(`wait.${wait.reason}`, { name }) : name
  if (subject.type === 'branch') return children.length > 1 ? t('entry.branches', { count: children.length }) : ''
  if (subject.type !== 'mark') return ''
  switch (subject.event) {
    case 'run.interrupted':
      return typeof input === 'string' ? input : ''
    case 'run.resumed':
      return t('entry.by', { name })
    case 'signal.received':
      return `${name} ${oneLine(briefJson(input ?? null))}`
    case 'run.cancelled':
      return [t('entry.by', { name }), typeof output === 'string' ? output : ''].filter(Boolean).join(': ')
    default:
      return ''
  }
}

/** `bash × 10, query`. */
function counted(names: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1)
  return [...counts].map(([name, count]) => (count === 1 ? name : `${name} × ${count}`)).join(', ')
}

/** How a command ended, when not well. */
export function exitWords(entry: Entry, t: Translate): string | undefined {
  if (entry.subject.type !== 'step' || entry.subject.kind !== 'exec') return undefined
  const result = ExecResult.safeParse(entry.output)
  if (!result.success) return undefined
  const { exitCode, signal, isTimedOut } = result.data
  if (isTimedOut) return t('entry.timedOut')
  if (exitCode === null) return t('entry.killed', { signal: signal ?? '?' })
  return exitCode === 0 ? undefined : t('entry.exit', { code: exitCode })
}

export const oneLine = (text: string): string => text.slice(0, 400).replace(/\s+/g, ' ').trim()
const lastLine = (text: string): string => oneLine(text.trimEnd().slice(-160))

function textField(value: Json | undefined, field: string): string | undefined {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  const found = value[field]
  return typeof found === 'string' ? found : undefined
}

/** What a custom agent's program was asked. */
const questionOf = (input: Json | undefined): Json => {
  const { data } = InvokeRequest.safeParse(input)
  return data ? data.input : null
}
