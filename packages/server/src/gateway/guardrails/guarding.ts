/** The guards of one call: what they say of its request and of its answer, and that it is recorded before it has an effect. */
import type { GuardDecision, Guard, Guardrail } from '@longhaul/protocol'
import { type Cancellation, StepFailure, newId } from '../../kernel/index.ts'
import { tokensOfBytes } from '../faces/spent.ts'
import { whyNotShape } from '../shape.ts'
import type { FoundFile } from './files.ts'
import { type Judged, type Side, isTextGuard, judgeTexts } from './judge.ts'
import { type Mask, openMask } from './mask.ts'
import type { Moderate } from './moderate.ts'
import type { PdfReply } from './pdf-reply.ts'
import { type ReadDocument, countUnread, nameUnread, readDocuments, readTexts, textToJudge } from './reading.ts'

export type GuardedCall = {
  tenantId: string
  /** As it was asked for. */
  model: string
  namespace: string
  keyId?: string | undefined
  agent?: string | undefined
  runId?: string | undefined
  requestId?: string | undefined
  signal: Cancellation
}

export type Answer = {
  /** What guards look through, of any shape. */
  value: unknown
  /** What the model says at last, when it is no call of a tool. */
  lastWord: string | undefined
  isRepaired?: boolean
}

export type Guarding = {
  mask: Mask
  /** The most output that the call may ask for. */
  outputTokensMax: number | undefined
  /** An answer must be there whole before any of it is given away. */
  needsWhole: boolean
  /** Something is to be said of the answer, if only in the record. */
  readsAnswer: boolean
  /** For the caller's eyes: `request.personal=mask`. */
  notes(): string[]
  /** What goes on instead of the request. Throws when it may not. */
  request<Value>(value: Value, bytes: number): Promise<Value>
  /** The same of files that go along with a request that was looked at, as data URLs. */
  files(urls: readonly string[]): Promise<readonly string[]>
  /** What goes on instead of the answer, or why another one has to be asked for. Throws when it may not. */
  answer<Value>(answer: Answer & { value: Value }): Promise<{ value: Value } | { repair: string }>
}

type Entry = { guardrail: string; guard: Guard }
type Decision = Omit<GuardDecision, 'at'>
type Guards = { moderate: Moderate; record(decisions: Decision[]): Promise<void>; readPdf(bytes: Buffer): Promise<PdfReply> }
/** What stands beside a value: files that cannot be looked into, and those that can, and not be changed. */
type Beside = { unread: readonly FoundFile[]; documents: readonly ReadDocument[] }
const nothing: Beside = { unread: [], documents: [] }

export function openGuarding(call: GuardedCall, guardrails: readonly Guardrail[], { moderate, record, readPdf }: Guards): Guarding {
  const entries: Entry[] = guardrails.flatMap(({ name, guards }) => guards.map((guard) => ({ guardrail: name, guard })))
  const caps = entries.flatMap(({ guard }) => (guard.type === 'size' && guard.outputTokensMax !== undefined ? [guard.outputTokensMax] : []))
  /** Only these look into files. */
  const ofTexts = entries.filter(({ guard }) => isOn(guard, 'request') && (isTextGuard(guard) || guard.type === 'moderation'))
  const ofAnswer = entries.filter(({ guard }) => isOn(guard, 'answer'))
  let mask = openMask('')
  const size = { bytes: 0, textBytes: 0 }
  const notes: string[] = []

  async function decide(found: { entry: Entry; side: Side; action: GuardDecision['action']; found: Record<string, number> }): Promise<void> {
    const { entry, side, action } = found
    notes.push(`${side}.${entry.guard.type}=${action}`)
    const { model, requestId = null, keyId = null, agent = null, runId = null } = call
    await record([
      { id: newId(), guardrail: entry.guardrail, guard: entry.guard.type, on: side, action, found: found.found, model, requestId, keyId, agent, runId },
    ])
  }

  async function look(entry: Entry, side: Side, value: unknown, { unread, documents } = nothing): Promise<unknown> {
    const { guard } = entry
    if (isTextGuard(guard)) {
      await passUnread(entry, side, unread)
      const hide = (kind: string, original: string) => (side === 'request' ? mask.hide(kind, original) : gone(kind))
      const judged: Judged = judgeTexts(value, guard, { side, documents: documents.map(({ text }) => text), hide })
      if (Object.keys(judged.found).length === 0) return value
      const action = guard.action === 'mask' && judged.stuckIn ? 'block' : guard.action
      await decide({ entry, side, action, found: judged.found })
      if (action === 'block') throw blocked(entry, side, judged.found, judged.stuckIn && stuck[judged.stuckIn])
      return judged.value
    }
    if (guard.type === 'moderation') {
      const { text, tooLong } = textToJudge(value, documents)
      await passUnread(entry, side, [...unread, ...tooLong])
      if (text !== '') await judgeByModel(entry, guard, side, text)
    }
    return value
  }

  /** What a guard cannot look into goes on with a record of it, or not at all. */
  async function passUnread(entry: Entry, side: Side, unread: readonly FoundFile[]): Promise<void> {
    if (unread.length === 0) return
    const action = 'unreadFiles' in entry.guard && entry.guard.unreadFiles === 'block' ? 'block' : 'annotate'
    await decide({ entry, side, action, found: countUnread(unread) })
    if (action === 'block') throw blockedBecause(entry, side, `${entry.guard.type} cannot look into ${nameUnread(unread)}`)
  }

  async function judgeByModel(entry: Entry, guard: Extract<Guard, { type: 'moderation' }>, side: Side, text: string): Promise<void> {
    const account = { tenantId: call.tenantId, namespace: call.namespace, keyId: call.keyId ?? '' }
    const verdict = await moderate({ ...guard, policy: guard.policy, text, account, guardrail: entry.guardrail, signal: call.signal }).catch(
      (error: unknown) => {
        if (call.signal.aborted) throw error
        return error instanceof StepFailure ? 'not judged' : Promise.reject(error)
      },
    )
    if (verdict === 'safe') return
    const found = { [verdict === 'unsafe' ? 'unsafe' : 'not-judged']: 1 }
    await decide({ entry, side, action: guard.action, found })
    if (guard.action === 'block') throw blocked(entry, side, found)
  }

  async function checkSize(bytes: number, textBytes: number): Promise<void> {
    size.bytes += bytes
    size.textBytes += textBytes
    for (const entry of entries) {
      const over = entry.guard.type === 'size' ? overSize(entry.guard, size) : undefined
      if (!over) continue
      await decide({ entry, side: 'request', action: 'block', found: { [over.what]: 1 } })
      throw blockedBecause(entry, 'request', over.why)
    }
  }

  async function lookThrough(value: unknown, beside: Beside): Promise<unknown> {
    let seen = value
    for (const entry of masksFirst(ofTexts)) seen = await look(entry, 'request', seen, beside)
    return seen
  }
  const besideOf = (files: readonly FoundFile[]): Promise<Beside> => (ofTexts.length === 0 ? Promise.resolve(nothing) : readDocuments(files, readPdf))

  return {
    get mask() {
      return mask
    },
    outputTokensMax: caps.length > 0 ? Math.min(...caps) : undefined,
    needsWhole:
      ofAnswer.some(({ guard }) => 'action' in guard && guard.action !== 'annotate') || ofAnswer.some(({ guard }) => guard.type === 'schema' && guard.repair),
    readsAnswer: ofAnswer.length > 0,
    notes: () => [...new Set(notes)],
    async request<Value>(value: Value, bytes: number): Promise<Value> {
      const { texts, files } = readTexts(value)
      // Base64 is a third longer than the text that the model reads.
      const saved = files.reduce((sum, file) => (file.text === undefined ? sum : sum + file.length - file.bytes), 0)
      await checkSize(bytes, bytes - saved)
      const beside = await besideOf(files)
      mask = openMask([...texts, ...beside.documents.map(({ text }) => text)].join('\n'))
      return (await lookThrough(value, beside)) as Value // Only texts in it were replaced by texts.
    },
    async files(urls) {
      const { files } = readTexts(urls)
      const bytes = files.reduce((sum, file) => (file.text === undefined ? sum : sum + file.bytes), 0)
      await checkSize(bytes, bytes)
      return (await lookThrough(urls, await besideOf(files))) as string[] // As above.
    },
    async answer<Value>({ value, lastWord, isRepaired = false }: Answer & { value: Value }) {
      let seen: unknown = value
      for (const entry of masksFirst(ofAnswer)) {
        const { guard } = entry
        if (guard.type !== 'schema') {
          seen = await look(entry, 'answer', seen)
          continue
        }
        const why = lastWord === undefined ? undefined : whyNotShape(lastWord, guard.schema)
        if (why === undefined) continue
        if (guard.repair && !isRepaired) {
          await decide({ entry, side: 'answer', action: 'repair', found: { schema: 1 } })
          return { repair: why }
        }
        await decide({ entry, side: 'answer', action: guard.action, found: { schema: 1 } })
        if (guard.action === 'block') throw blockedBecause(entry, 'answer', `it is not of the schema: ${why}`)
      }
      return { value: seen as Value } // As above.
    },
  }
}

/** What a model judges has been masked before. */
const masksFirst = (entries: readonly Entry[]): Entry[] => entries.toSorted((a, b) => rank(a) - rank(b))
const rank = ({ guard }: Entry): number => (guard.type === 'moderation' ? 2 : guard.type === 'schema' ? 1 : 0)

function isOn(guard: Guard, side: Side): boolean {
  if (guard.type === 'size') return false
  if (guard.type === 'schema') return side === 'answer'
  return guard.on === side || guard.on === 'both'
}

const stuck = {
  name: ' in a name, where it cannot be masked',
  document: ' in a PDF, where it cannot be masked: send its text instead',
}

/** In an answer there is nobody who could put it back. */
const gone = (kind: string): string => (kind === 'word' ? '[REMOVED]' : `[${kind.toUpperCase()} REMOVED]`)

/** `textBytes`: with files as the texts that they are. */
function overSize(
  { inputBytesMax = Infinity, inputTokensMax = Infinity }: Extract<Guard, { type: 'size' }>,
  { bytes, textBytes }: { bytes: number; textBytes: number },
): { what: string; why: string } | undefined {
  if (bytes > inputBytesMax) return { what: 'bytes', why: `it has ${bytes} bytes, and ${inputBytesMax} are allowed` }
  const tokens = tokensOfBytes(textBytes)
  return tokens > inputTokensMax ? { what: 'tokens', why: `it has about ${tokens} tokens, and ${inputTokensMax} are allowed` } : undefined
}

function blocked(entry: Entry, side: Side, found: Record<string, number>, where = ''): StepFailure {
  const what = Object.entries(found).map(([kind, count]) => `${kind}${count > 1 ? ` (${count})` : ''}`)
  return blockedBecause(entry, side, `${entry.guard.type} found ${what.join(', ')}${where}`)
}

function blockedBecause({ guardrail }: Entry, side: Side, why: string): StepFailure {
  const what = side === 'request' ? 'request' : 'answer to this request'
  return new StepFailure({ message: `The guardrail ${guardrail} refuses the ${what}: ${why}.`, code: `${side}_blocked`, retryable: false })
}
