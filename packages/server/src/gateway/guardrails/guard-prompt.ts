/** A model step of an agent between its guards. */
import type { ModelReply, Prompt } from '@longhaul/protocol'
import { StepFailure } from '../../kernel/index.ts'
import type { GivenFiles } from '../files.ts'
import type { GenerateOptions } from '../gateway.ts'
import { openDataUrl } from './files.ts'
import type { Guardrails } from './guardrails.ts'
import type { Guarding } from './guarding.ts'
import type { Mask } from './mask.ts'
import { mapTexts } from './texts.ts'

type Generate = (prompt: Prompt, options: GenerateOptions) => Promise<ModelReply>

/** An answer that is not of its schema fails the attempt: the run's retry policy asks again. */
export function guardPrompts(generate: Generate, guardrails: Pick<Guardrails, 'begin'>): Generate {
  return async (prompt, options) => {
    const { asked = {}, signal, onText = () => {}, filesFor } = options
    if (asked.tenantId === undefined) return generate(prompt, options)
    const guarding = await guardrails.begin({
      ...{ tenantId: asked.tenantId, model: prompt.model, namespace: asked.namespace ?? 'default', signal },
      ...{ keyId: asked.keyId, agent: asked.agent, runId: asked.runId },
    })
    if (!guarding) return generate(prompt, options)
    const { instructions, messages, tools } = prompt
    const seen = await guarding.request({ instructions, messages, tools }, Buffer.byteLength(JSON.stringify({ instructions, messages, tools })))
    const limit = Math.min(prompt.outputTokensMax ?? Infinity, guarding.outputTokensMax ?? Infinity)
    const speech = restoreSpeech(guarding.mask, onText)
    const guardFiles = filesGuard(guarding)
    const reply = await generate(
      { ...prompt, ...seen, ...(Number.isFinite(limit) ? { outputTokensMax: limit } : {}) },
      {
        ...options,
        onText: guarding.needsWhole ? () => {} : speech.hear,
        ...(filesFor && { filesFor: async (model) => guardFiles(await filesFor(model)) }),
      },
    )
    const isCall = reply.content.some(({ type }) => type === 'tool-call')
    const text = reply.content.map((part) => (part.type === 'text' ? part.text : '')).join('')
    const judged = await guarding.answer({ value: { content: reply.content }, lastWord: isCall ? undefined : text, isRepaired: true })
    if ('repair' in judged) throw new StepFailure({ message: `The answer is not of the schema: ${judged.repair}`, code: 'answer_blocked', retryable: true })
    const { content } = mapTexts(judged.value, (each, isFixed) => (isFixed ? each : guarding.mask.restore(each))) as typeof judged.value // Texts for texts.
    if (guarding.needsWhole) for (const part of content) if (part.type === 'text') onText(part.text)
    if (!guarding.needsWhole) speech.end()
    return { ...reply, content }
  }
}

/** Each file once, whichever models are given it. */
function filesGuard(guarding: Guarding): (given: GivenFiles) => Promise<GivenFiles> {
  const seen = new Map<string, Buffer>()
  return async (given) => {
    const fresh = [...given].flatMap(([id, { mediaType, content }]) => (content && !seen.has(id) ? [{ id, mediaType, content }] : []))
    if (fresh.length > 0) {
      const urls = fresh.map(({ mediaType, content }) => `data:${mediaType};base64,${content.toString('base64')}`)
      const guarded = await guarding.files(urls)
      for (const [i, { id, content }] of fresh.entries()) {
        const url = guarded[i]
        seen.set(id, url === undefined || url === urls[i] ? content : Buffer.from(openDataUrl(url)?.text ?? ''))
      }
    }
    return new Map([...given].map(([id, file]) => [id, file.content ? { ...file, content: seen.get(id) } : file]))
  }
}

/** Live text comes in pieces: what may be the first half of a place is said with the second. */
function restoreSpeech(mask: Mask, say: (text: string) => void): { hear(delta: string): void; end(): void } {
  let held = ''
  return {
    hear(delta) {
      const text = held + delta
      const open = mask.openEnd(text)
      held = text.slice(text.length - open)
      const ready = mask.restore(text.slice(0, text.length - open))
      if (ready !== '') say(ready)
    },
    end() {
      if (held !== '') say(held)
    },
  }
}
