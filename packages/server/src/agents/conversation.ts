import { type Json, type Message, attachmentsOf } from '@longhaul/protocol'
import type { SessionTurn } from '../engine/index.ts'

/** How the turns of a session read to a model: what was asked, what was answered. */
export const toMessages = (turns: SessionTurn[]): Message[] =>
  turns.flatMap(({ input, output }): Message[] => [toUserMessage(input), { role: 'assistant', content: [{ type: 'text', text: wordsOf(output, ['text']) }] }])

/** Its words, and its files by reference. */
export const toUserMessage = (input: Json): Message => ({
  role: 'user',
  content: [{ type: 'text', text: wordsOf(input, ['message', 'question']) }, ...attachmentsOf(input).map((file) => ({ type: 'attachment' as const, ...file }))],
})

function wordsOf(value: Json, names: string[]): string {
  if (typeof value === 'string') return value
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) {
    for (const name of names) if (typeof value[name] === 'string') return value[name]
  }
  return JSON.stringify(value)
}
