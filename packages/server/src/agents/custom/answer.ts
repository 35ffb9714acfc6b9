/** What a program answered an invocation with: JSON, or server-sent events whose words are passed on as they come. */
import type { IncomingMessage } from 'node:http'
import { StringDecoder } from 'node:string_decoder'
import { type Json, whyNotJson } from '@longhaul/protocol'
import { StepFailure } from '../../kernel/index.ts'

const answerBytesMax = 8_000_000
const complaintCharactersMax = 2_000

/** `text` is for people; `output` is what came, for programs. */
export type ProgramAnswer = { text: string; output: Json }

export async function readAnswer(response: IncomingMessage, onText: (text: string) => void): Promise<ProgramAnswer> {
  const { statusCode = 0, headers } = response
  const isGood = statusCode >= 200 && statusCode < 300
  const isStream = isGood && (headers['content-type'] ?? '').startsWith('text/event-stream')
  const decoder = new StringDecoder('utf8')
  const events: Json[] = []
  let whole = ''
  let text = ''
  let rest = ''
  let bytes = 0
  const take = (piece: string) => {
    if (!isStream) return void (whole += piece)
    const blocks = (rest + piece).split(/\r?\n\r?\n/)
    rest = blocks.pop() ?? ''
    for (const block of blocks) {
      const data = dataOf(block)
      if (data === undefined || data === '[DONE]') continue
      const event = parsed(data)
      events.push(event)
      const words = wordsOf(event) ?? ''
      text += words
      if (words !== '') onText(words)
    }
  }
  for await (const piece of response as AsyncIterable<Buffer>) {
    bytes += piece.length
    if (bytes > answerBytesMax) throw failed(`Its answer is longer than ${answerBytesMax} bytes.`)
    take(decoder.write(piece))
  }
  take(decoder.end())
  if (isStream && rest.trim() !== '') take('\n\n')
  if (!response.complete) throw failed('Its answer broke off.')
  if (!isGood)
    throw failed(
      `It answered with status ${statusCode}: ${whole.slice(0, complaintCharactersMax).trim() || '(nothing)'}`,
      statusCode >= 500 || statusCode === 429,
    )
  const output = isStream ? events : parsed(whole)
  const problem = whyNotJson(output)
  if (problem) throw failed(`Its answer cannot be stored: ${problem}.`, false)
  return { text: isStream ? text : (wordsOf(output) ?? JSON.stringify(output, null, 2)), output }
}

const failed = (message: string, retryable = true) => new StepFailure({ message, code: 'bad_answer', retryable })

const dataOf = (block: string): string | undefined => {
  const lines = block.split(/\r?\n/).flatMap((line) => /^data: ?(.*)$/.exec(line)?.[1] ?? [])
  return lines.length === 0 ? undefined : lines.join('\n')
}

function parsed(text: string): Json {
  try {
    return JSON.parse(text) as Json // It is JSON then.
  } catch {
    return text // Plain words will do.
  }
}

/** Where programs of this kind put their words. */
const fields = ['text', 'response', 'result', 'output', 'answer', 'message', 'content', 'delta', 'event', 'data']

function wordsOf(value: Json): string | undefined {
  if (typeof value === 'string') return value
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return undefined
  for (const name of fields) if (typeof value[name] === 'string') return value[name]
  return undefined
}
