/** Model steps of agents that ask for it: the same prompt gets the answer that one before it got. */
import { createHash } from 'node:crypto'
import type { ModelReply, Prompt } from '@longhaul/protocol'
import type { GenerateOptions } from '../gateway.ts'
import type { Answers } from './answers.ts'
import { writeCanonical } from './canonical.ts'

type Generate = (prompt: Prompt, options: GenerateOptions) => Promise<ModelReply>
type Kept = Pick<ModelReply, 'model' | 'content'>

/** Only last words are kept: a call of a tool is decided anew. */
export function cachePrompts(generate: Generate, answers: Pick<Answers, 'find' | 'keep'>, defaultModel: string): Generate {
  return async (prompt, options) => {
    const { asked = {}, onText = () => {} } = options
    const { cacheSeconds, ...rest } = prompt
    const { tenantId } = asked
    if (cacheSeconds === undefined || tenantId === undefined) return generate(rest, options)
    const key = keyOf({ ...rest, model: rest.model === 'default' ? defaultModel : rest.model })
    const kept = await answers.find(tenantId, key)
    if (kept) {
      const { model, content } = JSON.parse(kept.body.toString('utf8')) as Kept // As we wrote it.
      for (const part of content) if (part.type === 'text') onText(part.text)
      await options.onKept?.(model)
      return { model, content, finishReason: 'stop', usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 }, isKept: true }
    }
    const reply = await generate(rest, options)
    const isLastWord = reply.finishReason === 'stop' && reply.content.every(({ type }) => type === 'text')
    if (isLastWord) {
      const body = Buffer.from(JSON.stringify({ model: reply.model, content: reply.content } satisfies Kept))
      await answers.keep(tenantId, { key, ttlMs: cacheSeconds * 1_000, model: reply.model, headers: {}, body })
    }
    return reply
  }
}

function keyOf(prompt: Omit<Prompt, 'cacheSeconds'>): Buffer {
  const hash = createHash('sha256').update('agent\n')
  writeCanonical(prompt, (text) => hash.update(text))
  return hash.digest()
}
