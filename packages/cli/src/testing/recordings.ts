/** Replies of real models, to an agent and to those that it starts: recorded once through a server's gateway, found again by the prompt that they were given to. */
import { createHash } from 'node:crypto'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { type Message, ModelReply, type Prompt } from '@longhaul/protocol'
import { z } from 'zod'
import type { Credentials } from '../credentials.ts'
import { Problem } from '../problem.ts'

const Recording = z.record(z.string(), ModelReply)

const fileOf = (folder: string, test: string) => join(folder, 'tests', 'recordings', `${test}.json`)

/** A model that says what was recorded. A prompt that was not asked then fails its call with what to do. */
export async function replayed(folder: string, test: string): Promise<(prompt: Prompt, turn: number) => ModelReply> {
  const file = fileOf(folder, test)
  const text = await readFile(file, 'utf8').catch(() => undefined) // It is missed when the model is asked.
  const known = text === undefined ? undefined : Recording.safeParse(JSON.parse(text))
  if (known?.success === false) throw new Problem('invalid', `${file} is no recording.`, 'longhaul test <folder> --record makes it anew.')
  return (prompt, turn) => {
    const reply = known?.data[digestOf(prompt)]
    if (reply) return reply
    throw new Error(
      known
        ? `The recording has no reply for this prompt, turn ${turn}: the instructions, the tools or what was said before are not those that were recorded. Record it again: longhaul test <folder> --record`
        : `Nothing was recorded for ${test}. Record it: longhaul test <folder> --record`,
    )
  }
}

/** A model behind the server's gateway, whose replies are kept by `save`. */
export function recorder({ url, key }: Credentials, model: string, signal: AbortSignal) {
  const replies = new Map<string, ModelReply>()
  const asked = new Map<string, Promise<ModelReply>>()
  async function ask(prompt: Prompt): Promise<ModelReply> {
    const response = await fetch(new URL('/openai/v1/chat/completions', url), {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: JSON.stringify({ ...toChat(prompt), model }),
      signal,
    })
    const text = await response.text()
    if (!response.ok) throw new Problem('unavailable', `The gateway answered with ${response.status}: ${text.slice(0, 500)}`)
    const reply = fromChat(JSON.parse(text), prompt.model)
    replies.set(digestOf(prompt), reply)
    return reply
  }
  return {
    /** What is asked again, also by another run, is answered as before: a recording has one reply for each prompt. */
    model(prompt: Prompt): Promise<ModelReply> {
      const digest = digestOf(prompt)
      const reply = asked.get(digest) ?? ask(prompt)
      asked.set(digest, reply)
      return reply
    },
    async save(folder: string, test: string): Promise<number> {
      const file = fileOf(folder, test)
      if (replies.size === 0) await rm(file, { force: true })
      else {
        await mkdir(dirname(file), { recursive: true })
        await writeFile(file, `${JSON.stringify(Object.fromEntries(replies), null, 2)}\n`)
      }
      return replies.size
    },
  }
}

function digestOf(prompt: Prompt): string {
  return createHash('sha256')
    .update(JSON.stringify([prompt.model, prompt.instructions, prompt.tools, prompt.messages]))
    .digest('hex')
    .slice(0, 24)
}

function toChat({ instructions, tools, messages, outputTokensMax }: Prompt) {
  return {
    messages: [...(instructions === '' ? [] : [{ role: 'system', content: instructions }]), ...messages.flatMap(toChatMessages)],
    ...(tools.length > 0 && {
      tools: tools.map(({ name, description, inputSchema }) => ({ type: 'function', function: { name, description, parameters: inputSchema } })),
    }),
    ...(outputTokensMax !== undefined && { max_completion_tokens: outputTokensMax }),
  }
}

function toChatMessages(message: Message): object[] {
  if (message.role === 'tool')
    return message.content.map(({ toolCallId, output }) => ({
      role: 'tool',
      tool_call_id: toolCallId,
      content: typeof output === 'string' ? output : JSON.stringify(output),
    }))
  const text = message.content.flatMap((part) => (part.type === 'text' ? [part.text] : [])).join('\n')
  if (message.role === 'user') return [{ role: 'user', content: text }]
  const calls = message.content.flatMap((part) =>
    part.type === 'tool-call' ? [{ id: part.toolCallId, type: 'function', function: { name: part.toolName, arguments: JSON.stringify(part.input) } }] : [],
  )
  return [{ role: 'assistant', content: text === '' ? null : text, ...(calls.length > 0 && { tool_calls: calls }) }]
}

const ChatAnswer = z.object({
  model: z.string().optional(),
  choices: z
    .array(
      z.object({
        finish_reason: z.string().nullish(),
        message: z.object({
          content: z.string().nullish(),
          tool_calls: z.array(z.object({ id: z.string(), function: z.object({ name: z.string(), arguments: z.string() }) })).nullish(),
        }),
      }),
    )
    .min(1),
  usage: z.object({ prompt_tokens: z.number(), completion_tokens: z.number() }).nullish(),
})

function fromChat(answer: unknown, model: string): ModelReply {
  const { choices, usage, model: answered } = ChatAnswer.parse(answer)
  const { message, finish_reason: finish } = choices[0]! // There is one.
  const calls = message.tool_calls ?? []
  return ModelReply.parse({
    model: answered ?? model,
    content: [
      ...(message.content ? [{ type: 'text', text: message.content }] : []),
      ...calls.map(({ id, function: { name, arguments: text } }) => ({ type: 'tool-call', toolCallId: id, toolName: name, input: JSON.parse(text || '{}') })),
    ],
    finishReason: calls.length > 0 ? 'tool-calls' : finish === 'length' ? 'length' : finish === 'content_filter' ? 'content-filter' : 'stop',
    usage: { input: usage?.prompt_tokens ?? 0, cachedInput: 0, output: usage?.completion_tokens ?? 0, costUsd: null },
  })
}
