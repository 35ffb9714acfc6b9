/** Anthropic's messages, streamed. Input is counted at the beginning, output at the end, and the last count is the total. */
import { dataOf } from './event-splitter.ts'
import { type Scanner, isComment, parseData } from './scanner.ts'
import { type TokenBuckets, readUsage } from '../money/index.ts'

export function scanMessages(): Scanner {
  let usage: Record<string, unknown> | undefined
  let tokens: TokenBuckets | undefined
  let isComplete = false
  const add = (more: unknown) => {
    if (typeof more !== 'object' || more === null) return
    usage = { ...usage, ...more }
    tokens = readUsage('anthropic', usage)
  }

  return {
    isComplete: () => isComplete,
    tokens: () => tokens,
    see(event) {
      if (isComment(event)) return { type: 'preamble' }
      const named = nameOf(event)
      const name = named ?? typeOf(event)
      // Anthropic's own client drops an event without a name in silence.
      const more = named === undefined && name !== undefined ? { instead: Buffer.concat([Buffer.from(`event: ${name}\n`), event]) } : {}
      switch (name) {
        case 'message_start':
          add((parseData(dataOf(event))?.['message'] as Record<string, unknown> | undefined)?.['usage'])
          return { type: 'preamble', ...more }
        case 'ping':
          return { type: 'preamble', ...more }
        case 'message_delta':
          add(parseData(dataOf(event))?.['usage'])
          return { type: 'content', ...more }
        case 'message_stop':
          isComplete = true
          return { type: 'content', ...more }
        case 'error':
          return { type: 'error', error: parseData(dataOf(event))?.['error'] }
        default:
          return { type: 'content', ...more }
      }
    },
  }
}

/** From the `event:` line, which is the first. */
export function nameOf(event: Buffer): string | undefined {
  return /^(?:\u00ef\u00bb\u00bf)?event: ?([\w.]+)/m.exec(event.toString('latin1', 0, 200))?.[1]
}

export function typeOf(event: Buffer): string | undefined {
  const type = parseData(dataOf(event))?.['type']
  return typeof type === 'string' ? type : undefined
}
