/** A call that is made in a run: what was asked, what was answered and what it cost, told to the run's journal. */
import { type Failure, type Json, type ModelReply, type Usage, storableText } from '@longhaul/protocol'
import { toFailure } from '../../kernel/index.ts'
import { inputOf, outputOf } from '../money/index.ts'
import type { Client } from './client.ts'
import type { FaceCall } from './face-call.ts'
import { readReply } from './read-reply.ts'
import type { Outcome } from './spent.ts'

/** The run in which a caller's program asks. */
export type CallingRun = {
  id: string
  agent: string
  version: string
  session: string | undefined
  /** A call begins. It is told once how it ended. */
  begin(model: string, request: Json): { completed(reply: Json, usage: Usage): void; failed(failure: Failure): void }
}

export type Telling = {
  client: Client
  settled(outcome: Outcome, costUsd: number | null): void
  /** The answer broke off, for this reason. */
  cut(why: Failure): void
  /** It is over. */
  ended(model: string): void
  /** Nothing of an answer came. */
  failed(error: unknown): void
}

/** Longer requests and answers are cut in the journal: a program sends the whole conversation with every call. */
const requestCharactersMax = 200_000
const answerBytesMax = 1_000_000

export function tellRun(client: Client, call: FaceCall, run: CallingRun): Telling {
  const told = run.begin(call.model, recorded(call.body.fields))
  const pieces: Buffer[] = []
  let bytes = 0
  let cutBy: Failure | undefined
  const usage: Usage = { input: 0, cachedInput: 0, output: 0, costUsd: 0 }
  const note = (piece: Buffer | string | undefined) => {
    if (piece === undefined || bytes > answerBytesMax) return
    const noted = typeof piece === 'string' ? Buffer.from(piece) : piece
    bytes += noted.length
    pieces.push(noted)
  }
  return {
    client: {
      ...client,
      write(piece) {
        note(piece)
        return client.write(piece)
      },
      end(piece) {
        note(piece)
        client.end(piece)
      },
    },
    settled(outcome, costUsd) {
      if (outcome.type === 'never-happened') return
      if (outcome.type === 'used') {
        usage.input += inputOf(outcome.tokens)
        usage.cachedInput += outcome.tokens.cacheRead
        usage.output += outputOf(outcome.tokens)
      }
      usage.costUsd = usage.costUsd === null || costUsd === null ? null : usage.costUsd + costUsd
    },
    cut: (why) => void (cutBy = why),
    ended(model) {
      if (cutBy) return told.failed(cutBy)
      if (client.signal.aborted) return told.failed({ message: 'The program left before the answer was complete.', code: 'aborted', retryable: false })
      const { content, finishReason } = readReply(call.face, call.isStream, Buffer.concat(pieces))
      told.completed(plain({ model, content, finishReason, usage } satisfies ModelReply), usage)
    },
    failed: (error) => told.failed(toFailure(error)),
  }
}

function recorded(fields: Record<string, unknown>): Json {
  const text = JSON.stringify(fields)
  if (text.length <= requestCharactersMax) return plain(fields)
  return { model: String(fields['model']), cut: `${text.slice(0, requestCharactersMax).toWellFormed()}…`, characters: text.length }
}

/** As the journal takes it. */
const plain = (value: object): Json => JSON.parse(JSON.stringify(value), (_, each: Json) => (typeof each === 'string' ? storableText(each) : each)) as Json // Plain data.
