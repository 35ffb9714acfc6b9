/** Answers that came whole: what they used, and whether they are answers. */
import { StepFailure } from '../../kernel/index.ts'
import type { Target } from '../failover.ts'
import { fitEmbeddings } from './embeddings.ts'
import type { FaceCall } from './face-call.ts'
import type { Spent } from './spent.ts'
import { type UsageDialect, readUsage } from '../money/index.ts'

/** Notes the usage and returns the bytes to send: those that came, unless a client would read them wrongly. */
export function readWhole(call: FaceCall, target: Target, spent: Spent, { bytes, fields }: { bytes: Buffer; fields: Record<string, unknown> }): Buffer {
  spent.tokens = readUsage(dialects[call.face], fields['usage'])
  spent.outputBytes = call.face === 'embeddings' ? 0 : bytes.length
  if (!Array.isArray(fields[answerFields[call.face]])) {
    throw new StepFailure({ message: `${target.model} sent an answer without ${answerFields[call.face]}.`, code: 'bad_reply', retryable: true })
  }
  return call.face === 'embeddings' && fitEmbeddings(fields, call.body.fields['encoding_format']) ? Buffer.from(JSON.stringify(fields)) : bytes
}

const answerFields = { chat: 'choices', responses: 'output', messages: 'content', embeddings: 'data' } as const

const dialects: Record<FaceCall['face'], UsageDialect> = {
  chat: 'openai-chat',
  responses: 'openai-responses',
  messages: 'anthropic',
  embeddings: 'openai-embeddings',
}
