/** One call as it is recorded while it goes on: bytes are held as they pass, within bounds, and nothing is read of them. */
import type { CallOutcome } from '@longhaul/protocol'
import { wallClock } from '../../kernel/index.ts'
import type { Client } from '../faces/client.ts'
import { type FaceCall, inputTokensMax } from '../faces/face-call.ts'
import { type Outcome, type TokenBuckets, estimate, inputOf, outputOf } from '../money/index.ts'

export type CallStart = {
  id: string
  tenantId: string
  namespace: string
  keyId: string
  session: string | undefined
  tags: Readonly<Record<string, string>> | undefined
  call: FaceCall
}

export type RecordedCall = {
  start: CallStart
  at: Date
  end: CallEnd
  input: number
  output: number
  isEstimated: boolean
  /** Null: not known. */
  costUsd: number | null
  request: Buffer | undefined
  answer: Buffer | undefined
  isCut: boolean
  heldBytes: number
}

/** `durationMs` from the first byte of the request to the end of the answer. */
export type CallEnd = {
  answeredBy: string | undefined
  outcome: CallOutcome
  status: number
  code: string | undefined
  isKeptAnswer: boolean
  durationMs: number
}

export type CallRecording = {
  /** Also keeps what this one is sent. */
  client: Client
  /** Once for each attempt. */
  settled(outcome: Outcome, costUsd: number | null): void
  /** Exactly once. */
  ended(end: CallEnd): void
}

/** Bytes that recordings hold together. */
export type HeldBytes = {
  /** False when there is no room: then they may not be held. */
  take(count: number): boolean
}

/** Longer requests and answers are left out: a program sends the whole conversation with every call. */
export const textBytesMax = 1024 * 1024

export function recordCall(start: CallStart, client: Client, held: HeldBytes, onEnded: (recorded: RecordedCall) => void): CallRecording {
  const at = wallClock()
  const { bytes: request } = start.call.body
  // Vectors say nothing to a reader.
  const readsAnswer = start.call.face !== 'embeddings'
  let pieces: (Buffer | string)[] = []
  let answerBytes = 0
  let isCut = false
  let input = 0
  let output = 0
  let isEstimated = false
  let costUsd: number | null = 0
  const hasRequest = request.length <= textBytesMax && held.take(request.length)
  const note = (piece: Buffer | string | undefined) => {
    if (piece === undefined || isCut || !readsAnswer) return
    if (answerBytes + piece.length <= textBytesMax && held.take(piece.length)) {
      answerBytes += piece.length
      pieces.push(piece)
    } else isCut = true // What has come so far is kept.
  }
  return {
    client: {
      signal: client.signal,
      hasBegun: client.hasBegun,
      drained: client.drained,
      begin: client.begin,
      write(piece) {
        note(piece)
        return client.write(piece)
      },
      end(piece) {
        note(piece)
        client.end(piece)
      },
    },
    settled(outcome, cost) {
      if (outcome.type === 'never-happened') return
      isEstimated ||= outcome.type !== 'used'
      const tokens = outcome.type === 'used' ? outcome.tokens : estimated(start.call, outcome.outputBytes)
      input += inputOf(tokens)
      output += outputOf(tokens)
      costUsd = costUsd === null || cost === null ? null : costUsd + cost
    },
    ended(end) {
      onEnded({
        ...{ start, at, end, input, output, isEstimated, costUsd },
        request: hasRequest ? request : undefined,
        // An error in the caller's language is no answer; its code is with the call.
        answer: end.status < 300 && answerBytes > 0 ? Buffer.concat(pieces.map(toBuffer)) : undefined,
        isCut: isCut || !hasRequest,
        heldBytes: (hasRequest ? request.length : 0) + answerBytes,
      })
      pieces = []
    },
  }
}

/** As it is booked, so that the tokens of a call are those that its cost is of. */
const estimated = (call: FaceCall, outputBytes: number | undefined): TokenBuckets =>
  estimate({ inputBytes: call.body.bytes.length, inputTokensMax: inputTokensMax(call) }, outputBytes, call.outputTokensMax ?? null)

const toBuffer = (piece: Buffer | string): Buffer => (typeof piece === 'string' ? Buffer.from(piece) : piece)
