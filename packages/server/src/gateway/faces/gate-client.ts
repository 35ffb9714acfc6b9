/**
 * A client's side of a streamed answer that may yet go to another target: nothing of it leaves before it has begun as it was asked for, or, where the route says so,
 * before all of it is as it was asked for. What was thrown away nobody has seen.
 */
import { StepFailure } from '../../kernel/index.ts'
import { type Verdict, judgeSaid, schemaOf } from './check-shape.ts'
import type { Client } from './client.ts'
import type { FaceCall } from './face-call.ts'
import { readReply } from './read-reply.ts'
import type { Ended } from './relay.ts'

/** `first`: until the first word or call of a tool. `whole`: to the end. */
export type GateMode = 'first' | 'whole'

export type Gate = {
  client: Client
  /** When the attempt is over. Throws a `StepFailure` when another target should be asked: nothing has left then. Otherwise lets go of what is held. */
  finish(ended: Ended, judged: (verdict: Verdict) => void): Ended
}

/** More than that of opening events, and the answer is let go: it is none that can be judged by its beginning. */
const beginningBytesMax = 64 * 1024

export function openGate(client: Client, call: FaceCall, model: string, mode: GateMode): Gate {
  let begun: { status: number; headers: Record<string, string | number> } | undefined
  let held: Buffer[] = []
  let heldBytes = 0
  let isOpen = false
  let isEnded = false
  let failed: StepFailure | undefined

  const open = () => {
    isOpen = true
    if (begun) client.begin(begun.status, begun.headers)
    const bytes = Buffer.concat(held)
    held = []
    if (isEnded) client.end(bytes)
    else if (bytes.length > 0) client.write(bytes)
  }
  const hold = (piece: Buffer | string) => {
    if (failed) return
    const bytes = typeof piece === 'string' ? Buffer.from(piece) : piece
    held.push(bytes)
    heldBytes += bytes.length
    if (mode === 'whole' || isEnded) return
    const why = whyNotBegun(call, Buffer.concat(held))
    if (typeof why === 'string') {
      failed = notAsAsked(model, why)
      held = []
      throw failed
    }
    if (why || heldBytes > beginningBytesMax) open()
  }

  return {
    client: {
      signal: client.signal,
      hasBegun: () => isOpen || begun !== undefined,
      drained: () => (isOpen ? client.drained() : Promise.resolve()),
      begin(status, headers) {
        begun = { status, headers }
      },
      write(piece) {
        if (isOpen) return client.write(piece)
        hold(piece)
        return true // Bounded by the largest answer.
      },
      end(piece) {
        if (isOpen) return client.end(piece)
        isEnded = true
        if (piece !== undefined) hold(piece)
      },
    },
    finish(ended, judged) {
      if (isOpen) return ended
      if (failed) throw failed
      if (client.signal.aborted) return ended
      if (ended.cutBy) throw new StepFailure(ended.cutBy) // Nothing has left: another target may do.
      const verdict = judgeSaid(call, saidIn(call, Buffer.concat(held)))
      if (verdict) judged(verdict)
      if (verdict && !verdict.isFit) throw notAsAsked(model, verdict.why ?? '')
      open()
      return ended
    },
  }
}

const notAsAsked = (model: string, why: string): StepFailure =>
  new StepFailure({ message: `The answer of ${model} is not what was asked for: ${why}`, code: 'not_as_asked', retryable: true })

function saidIn(call: FaceCall, bytes: Buffer): { text: string; calls: { name: unknown; input: string }[] } {
  const { content } = readReply(call.face, true, bytes)
  return {
    text: content.map((part) => (part.type === 'text' ? part.text : '')).join(''),
    calls: content.flatMap((part) =>
      part.type === 'tool-call' ? [{ name: part.toolName, input: typeof part.input === 'string' ? part.input : JSON.stringify(part.input) }] : [],
    ),
  }
}

/** True when it has begun as it was asked for, why not, or false while nobody can tell. */
function whyNotBegun(call: FaceCall, bytes: Buffer): boolean | string {
  const { text, calls } = saidIn(call, bytes)
  const [first] = calls
  if (first) {
    if (first.name === '' || first.name === undefined) return false
    const { why } = judgeSaid(call, { text: '', calls: [first] }, 'name') ?? {}
    return why ?? true
  }
  const begin = text.trimStart()
  if (begin === '') return false
  const schema = schemaOf(call.body.fields)
  if (typeof schema !== 'object' || schema === null || !('type' in schema)) return true
  const sign = { object: '{', array: '[' }[String(schema.type)]
  return sign === undefined || begin.startsWith(sign) ? true : `it begins with ${JSON.stringify(begin.slice(0, 20))} instead of JSON.`
}
