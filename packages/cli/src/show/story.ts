/** Tells what a run does as lines of text. Knows no terminal but its width and colours, so that it can be tested as text. */
import { ExecResult, ModelReply, ToolResult, isLiveFrame } from '@longhaul/protocol'
import type { EventData, Json, LiveFrame, RunEvent } from '@longhaul/protocol'
import { whoDecides } from './approval-rule.ts'
import type { Terminal } from './terminal.ts'
import { columnsOf, cut, oneLine, padEnd, printable, wrap } from './text.ts'
import { bytes, counted, duration, moment, wholeNumber } from './values.ts'

export type Story = {
  /** Lines that a frame adds. */
  tell(frame: RunEvent | LiveFrame): string[]
  /** What is going on now, for a status line. */
  doing(): string
  /** Answers of the model so far. */
  readonly turns: number
}

type OpenStep = { kind: string; name: string; input: Json | undefined; startedAt: string; seenAt: number; lines: string[]; live: string }
type Page = Pick<Terminal, 'width' | 'paint'>

const nameColumns = 10
const textColumn = nameColumns + 5
/** Room left free at the right, as at the left. */
const margin = 2
const outputLinesMax = 3
const noticeLinesMax = 4

export function createStory(page: Page, runId: string): Story {
  const open = new Map<string, OpenStep>()
  let turns = 0
  let waitingFor: string | undefined

  /** The innermost tool call under way that an operation belongs to. */
  const enclosing = (op: string): OpenStep | undefined => {
    for (let at = op.lastIndexOf('.'); at > 0; at = op.lastIndexOf('.', at - 1)) {
      const step = open.get(op.slice(0, at))
      if (step) return step
    }
    return undefined
  }
  /** Lines of something inside a tool call wait until the call has its own line. */
  const place = (op: string | undefined, lines: string[]): string[] => {
    const step = op === undefined ? undefined : enclosing(op)
    step?.lines.push(...lines)
    return step ? [] : lines
  }

  function completed(op: string, at: string, data: EventData<'step.completed'>): string[] {
    const step = open.get(op)
    open.delete(op)
    const took = duration(data.durationMs ?? Date.parse(at) - Date.parse(step?.startedAt ?? at))
    const isInside = enclosing(op) !== undefined
    if (data.kind === 'model') {
      turns++
      return place(op, modelLines(page, data.output, took))
    }
    if (data.kind === 'exec')
      return place(op, [...(isInside ? [] : [headline(page, '●', 'command', shortInput(step?.input), took)]), ...execLines(page, data.output)])
    if (data.kind === 'connect') return place(op, [headline(page, '●', 'connect', data.name, took)])
    // Files that a tool reads and writes, and pictures that it stores, are its own business; the call says what came of it.
    if (isInside && (data.kind === 'files' || data.kind === 'artifact')) return []
    const inner = step?.lines ?? []
    return place(op, [headline(page, '●', data.name, shortInput(step?.input), took), ...(inner.length > 0 ? inner : outputLines(page, data.output))])
  }

  function tellEvent(event: RunEvent): string[] {
    const { paint } = page
    switch (event.type) {
      case 'step.started':
        waitingFor = undefined
        open.set(event.op ?? '', {
          kind: event.data.kind,
          name: event.data.name,
          input: event.data.input,
          startedAt: event.at,
          seenAt: performance.now(),
          lines: [],
          live: '',
        })
        return []
      case 'step.completed':
        return completed(event.op ?? '', event.at, event.data)
      case 'step.paused': {
        const step = open.get(event.op ?? '')
        open.delete(event.op ?? '')
        return [...(step?.lines ?? []), ...notice(page, '○', event.data.name, 'has ended, and is asked again when somebody has decided')]
      }
      case 'step.failed': {
        const { kind, name, failure, retryInMs } = event.data
        open.delete(event.op ?? '')
        const what = oneLine(failure.message)
        const label = kind === 'model' ? 'model' : kind === 'exec' ? 'command' : name
        return place(
          event.op,
          retryInMs === null
            ? notice(page, paint('red', '✗'), label, what)
            : notice(page, paint('yellow', '▲'), label, what, `again in ${duration(retryInMs)}`),
        )
      }
      case 'step.doubted': {
        const { name, needs, message } = event.data
        if (needs === 'check') return notice(page, paint('yellow', '▲'), name, `may have taken effect: ${oneLine(message)} Its check is asked.`)
        waitingFor = `for an operator: nobody knows whether ${oneLine(name)} took effect`
        return [
          ...notice(page, paint('yellow', '▲'), name, `may have taken effect: ${oneLine(message)} An operator must decide.`),
          ' '.repeat(textColumn) + `npx longhaul runs decide ${runId} ${event.op} --help`,
        ]
      }
      case 'step.decided':
        waitingFor = undefined
        return notice(page, '●', event.data.name, `${decisions[event.data.decision]}, by ${oneLine(event.data.by)}`)
      case 'run.interrupted':
        open.clear() // What was under way is started anew.
        return notice(
          page,
          paint('yellow', '▲'),
          'worker',
          `${event.data.reason === 'worker_hung' ? 'hung and was stopped' : 'was lost'}; the run is picked up again`,
        )
      case 'run.resumed':
        waitingFor = undefined
        return notice(page, '↻', 'resumed', `taken up again by ${event.data.by}`)
      case 'signal.received':
        return notice(page, '●', 'signal', `${event.data.name} received from ${event.data.by}`)
      case 'wait.created':
        waitingFor = waitText(event.data)
        return [...notice(page, '○', 'waiting', waitingFor), ...waitRemedy(runId, event.data).map((line) => ' '.repeat(textColumn) + line)]
      case 'wait.completed':
        waitingFor = undefined
        return notice(page, event.data.timedOut ? paint('yellow', '▲') : '●', event.data.kind, waitOutcome(event.data))
      default:
        return []
    }
  }

  return {
    get turns() {
      return turns
    },
    tell(frame) {
      if (!isLiveFrame(frame)) return tellEvent(frame)
      const step = open.get(frame.op)
      if (step) step.live = (step.live + frame.text).slice(-400)
      return []
    },
    doing() {
      const [op, step] = [...open].at(-1) ?? []
      if (op === undefined || !step) return waitingFor ? `waiting ${waitingFor}` : 'working'
      const took = duration(performance.now() - step.seenAt) // By our own clock: the server's may differ.
      const live = oneLine(step.live).slice(-60)
      if (step.kind === 'model') return live ? `…${live}` : `the model is thinking · ${took}`
      const shown = enclosing(op) ?? step // What a person knows of is the tool call, not the command inside it.
      return `${shown.kind === 'exec' ? 'command' : shown.name} · ${took} · ${live || shortInput(shown.input)}`
    },
  }
}

const decisions = { completed: 'had taken effect', failed: 'has failed', execute: 'had not taken effect and is executed again' } as const

/** `● name      what                                  right`, from margin to margin. */
export function headline({ width, paint }: Page, glyph: string, name: string, what: string, right = '', style?: 'dim'): string {
  const label = padEnd(cut(oneLine(name), 24), nameColumns)
  const space = width - margin - (textColumn - nameColumns + columnsOf(label)) - (right ? columnsOf(right) + 2 : 0)
  const text = cut(oneLine(what), space)
  const end = right ? `${' '.repeat(space - columnsOf(text))}  ${paint('dim', right)}` : ''
  return `  ${glyph} ${paint('cyan', label)} ${style ? paint(style, text) : text}${end}`
}

/** A line that somebody may have to act on: it is wrapped where a headline is cut. */
export function notice(page: Page, glyph: string, name: string, what: string, right = ''): string[] {
  const space = page.width - margin - textColumn - (right ? columnsOf(right) + 2 : 0)
  const [first = '', ...rest] = wrap(oneLine(what), space)
  const shown = rest.length > noticeLinesMax - 1 ? [...rest.slice(0, noticeLinesMax - 2), `${cut(rest[noticeLinesMax - 2] ?? '', space - 2)} …`] : rest
  return [headline(page, glyph, name, first, right), ...shown.map((line) => ' '.repeat(textColumn) + line)]
}

function quoted({ width, paint }: Page, text: string, linesMax = outputLinesMax): string[] {
  const all = printable(text)
    .split('\n')
    .map((line) => line.trimEnd())
  while (all.length > 0 && all.at(-1) === '') all.pop()
  while (all[0] === '') all.shift()
  // One line more costs no more room than the note that it was left out.
  const shown = all.length <= linesMax + 1 ? all : all.slice(0, linesMax)
  const left = all.length - shown.length
  return [...shown, ...(left > 0 ? [`… ${wholeNumber(left)} more lines`] : [])].map(
    (line) => ' '.repeat(textColumn) + paint('dim', cut(`│ ${line}`, width - margin - textColumn)),
  )
}

function modelLines(page: Page, output: Json, took: string): string[] {
  const reply = ModelReply.safeParse(output).data
  if (!reply) return [headline(page, '◇', 'model', '', took)]
  const said = reply.content
    .flatMap((part) => (part.type === 'text' ? [part.text] : []))
    .join('\n')
    .trim()
  const { input, output: written } = reply.usage
  const line = headline(page, '◇', 'model', `${reply.model} · ${wholeNumber(input)} tokens in, ${wholeNumber(written)} out`, took, 'dim')
  // The last thing it says is the answer, which has its own place.
  return reply.finishReason === 'tool-calls' && said ? [line, ...quoted(page, wrap(oneLine(said), page.width - margin - textColumn - 2).join('\n'), 2)] : [line]
}

function execLines(page: Page, output: Json): string[] {
  const result = ExecResult.safeParse(output).data
  if (!result) return []
  const { exitCode, signal, isTimedOut, stdout, stderr } = result
  const isBad = isTimedOut || exitCode !== 0
  const text = isBad ? [stdout, stderr].filter((part) => part.trim()).join('\n') : stdout.trim() ? stdout : stderr
  const end = isTimedOut ? 'ran out of time' : exitCode === null ? `ended by ${signal ?? 'a signal'}` : `exit code ${exitCode}`
  return [...(text.trim() ? quoted(page, text) : []), ...(isBad ? [' '.repeat(textColumn) + page.paint('yellow', `└ ${end}`)] : [])]
}

function outputLines(page: Page, output: Json): string[] {
  const result = ToolResult.safeParse(output).data
  const parts = result?.parts ?? []
  if (parts.length > 0) {
    return quoted(
      page,
      parts
        .map((part) =>
          part.type === 'table'
            ? `${counted(part.rowCount, 'row')} of ${part.columns.map(({ name }) => name).join(', ')}`
            : `${part.name}, ${bytes(part.bytes)}`,
        )
        .join('\n'),
    )
  }
  const told = result && typeof output === 'object' && output !== null && 'output' in output ? result.output : output
  if (told === null || told === '') return []
  const error = typeof told === 'object' && 'error' in told ? told['error'] : undefined
  if (error)
    return quoted(
      page,
      typeof error === 'string'
        ? error
        : typeof error === 'object' && !Array.isArray(error) && typeof error['message'] === 'string'
          ? error['message']
          : JSON.stringify(error),
    ).map((line) => page.paint('yellow', line))
  return quoted(page, typeof told === 'string' ? told : JSON.stringify(told))
}

/** The one field of an input that says most about it, on one line. */
export function shortInput(input: Json | undefined): string {
  if (input === undefined || input === null) return ''
  if (typeof input !== 'object' || Array.isArray(input)) return oneLine(typeof input === 'string' ? input : JSON.stringify(input))
  if (typeof input['cmd'] === 'string') return oneLine([input['cmd'], ...(Array.isArray(input['args']) ? input['args'] : [])].map(String).join(' '))
  for (const field of ['script', 'command', 'sql', 'code', 'query', 'title', 'path', 'question', 'name', 'url']) {
    const value = input[field]
    if (typeof value === 'string' && value.trim()) return oneLine(value)
  }
  return Object.keys(input).length > 0 ? oneLine(JSON.stringify(input)) : ''
}

function waitText(wait: EventData<'wait.created'>): string {
  const { kind, name, until, reason } = wait
  const limit = until ? ` until ${moment(until)}` : ''
  if (kind === 'timer') return `${oneLine(name)}${limit}`
  if (kind === 'signal') return `for signal ${oneLine(name)}${limit}`
  if (kind === 'approval')
    return `for a yes or no${limit}: ${oneLine(name)}${wait.rule || wait.ruleFrom?.policies.length ? ` (${oneLine(whoDecides(wait))})` : ''}`
  return `for an operator: ${reason === 'poison' ? 'it keeps killing its worker' : reason === 'diverged' ? 'its code no longer matches its history' : reason === 'stopped' ? 'it was stopped' : oneLine(name)}`
}

function waitRemedy(runId: string, { kind, name, approvalId }: EventData<'wait.created'>): string[] {
  if (kind === 'approval' && approvalId) return [`npx longhaul approvals approve ${approvalId}`]
  if (kind === 'signal') return [`npx longhaul runs signal ${runId} ${oneLine(name)}`]
  return kind === 'operator' ? [`npx longhaul runs retry ${runId}`] : []
}

function waitOutcome({ kind, name, output, timedOut }: EventData<'wait.completed'>): string {
  if (kind === 'timer') return `${oneLine(name)} is over`
  if (timedOut) return `${oneLine(name)}: nobody answered in time`
  const said = typeof output === 'object' && output !== null && !Array.isArray(output) ? output : {}
  if (kind === 'approval')
    return `${said['approved'] === true ? 'approved' : 'denied'}${typeof said['by'] === 'string' ? ` by ${oneLine(said['by'])}` : ''}${typeof said['comment'] === 'string' ? `: ${oneLine(said['comment'])}` : ''}`
  return `${oneLine(name)} came`
}
