/** A model step stores only what is new in its prompt. This puts the whole prompt together again from the journal. */
import type { Message, ModelReply, ModelRequest, Prompt } from '@longhaul/protocol'
import { StepFailure } from '../kernel/index.ts'

export type RecordedModelStep = { request: ModelRequest; reply: ModelReply | undefined }

/**
 * The prompt of the model step at `op`: the prompt of its prefix, the prefix's answer, then what the step appends, and what was said in the
 * session meanwhile.
 * Instructions and tools are the nearest given ones. Each step is looked up once, and a prefix must be an earlier
 * operation, so this ends whatever the journal holds. Throws a `StepFailure` that no retry would cure.
 */
export function rebuildPrompt(op: string, lookup: (op: string) => RecordedModelStep | undefined): Prompt {
  const chain = readChain(op, lookup)
  const own = chain[0]! // readChain begins with the step at `op`, or throws.
  return {
    model: own.request.model,
    instructions: chain.find((step) => step.request.instructions !== undefined)?.request.instructions ?? '',
    tools: chain.find((step) => step.request.tools !== undefined)?.request.tools ?? [],
    messages: chain.toReversed().flatMap((step) => [...step.request.append.map(asAppended), ...(step.reply?.steeredBy ?? []), ...answerOf(step, own)]),
    ...(own.request.outputTokensMax === undefined ? {} : { outputTokensMax: own.request.outputTokensMax }),
    ...(own.request.cacheSeconds === undefined ? {} : { cacheSeconds: own.request.cacheSeconds }),
  }
}

/** The step at `op` and its prefixes, newest first. */
function readChain(op: string, lookup: (op: string) => RecordedModelStep | undefined): RecordedModelStep[] {
  const own = lookup(op)
  if (!own) throw broken(`There is no model step at ${op}.`)
  const chain = [own]
  for (let at = op, prefix = own.request.prefix; prefix !== undefined;) {
    if (!isEarlier(prefix, at)) throw broken(`The model step at ${at} names ${prefix} as its prefix, which is not an earlier one.`)
    const step = lookup(prefix)
    if (!step) throw broken(`The model step at ${at} continues from ${prefix}, but there is no model step there.`)
    if (!step.reply) throw broken(`The model step at ${at} continues from ${prefix}, which has no answer.`)
    chain.push(step)
    at = prefix
    prefix = step.request.prefix
  }
  return chain
}

/** What a worker appends is its own word; only answers from the journal carry data of the provider. */
function asAppended(message: Message): Message {
  return message.role === 'assistant' ? { role: 'assistant', content: message.content } : message
}

function answerOf(step: RecordedModelStep, own: RecordedModelStep): Message[] {
  if (step === own || !step.reply) return []
  const { content, providerData } = step.reply
  return [{ role: 'assistant', content, ...(providerData === undefined ? {} : { providerData }) }]
}

/** `"2"` comes before `"10"`, and `"3"` before `"3.0"`, which happened inside it. */
function isEarlier(op: string, than: string): boolean {
  const left = op.split('.').map(Number)
  const right = than.split('.').map(Number)
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    if (left[i] !== right[i]) return left[i]! < right[i]! // Indexes below both lengths always exist.
  }
  return left.length < right.length
}

const broken = (message: string) => new StepFailure({ message, code: 'broken_prefix', retryable: false })
