import type { LoggedCall, LoggedCallWithTexts } from '@longhaul/protocol'
import type { Tone } from '../../../ui/State.tsx'

export const callTones: Record<LoggedCall['outcome'], Tone> = { answered: 'usual', failed: 'bad', aborted: 'off' }

/** What the model said, where that is words alone; undefined otherwise. */
export function wordsOf(answer: LoggedCallWithTexts['answer']): string | undefined {
  const content = typeof answer === 'object' && answer !== null && !Array.isArray(answer) ? answer['content'] : undefined
  if (!Array.isArray(content) || content.length === 0) return undefined
  const texts = content.map((part) => (typeof part === 'object' && part !== null && !Array.isArray(part) && part['type'] === 'text' ? part['text'] : undefined))
  return texts.every((text) => typeof text === 'string') ? texts.join('') : undefined
}
