/** OpenAI's responses, streamed. There are about sixty kinds of event: only those at the ends are read, all others pass as they are. */
import { dataOf } from './event-splitter.ts'
import { nameOf, typeOf } from './scan-messages.ts'
import { type Scanner, isComment, parseData } from './scanner.ts'
import { type TokenBuckets, readUsage } from '../money/index.ts'

export function scanResponses(): Scanner {
  let tokens: TokenBuckets | undefined
  let isComplete = false
  return {
    isComplete: () => isComplete,
    tokens: () => tokens,
    see(event) {
      if (isComment(event)) return { type: 'preamble' }
      switch (nameOf(event) ?? typeOf(event)) {
        case 'response.created':
        case 'response.queued':
        case 'response.in_progress':
          return { type: 'preamble' }
        case 'response.completed':
        case 'response.incomplete': {
          tokens = readUsage('openai-responses', responseOf(event)?.['usage']) ?? tokens
          isComplete = true
          return { type: 'content' }
        }
        case 'response.failed': {
          const response = responseOf(event)
          tokens = readUsage('openai-responses', response?.['usage']) ?? tokens
          return { type: 'error', error: response?.['error'] }
        }
        case 'error':
          return { type: 'error', error: errorOf(parseData(dataOf(event))) }
        default:
          return { type: 'content' }
      }
    },
  }
}

const responseOf = (event: Buffer) => parseData(dataOf(event))?.['response'] as Record<string, unknown> | undefined

/** The reference has the fields beside `type`; servers also send them in an object of their own. */
function errorOf(data: Record<string, unknown> | undefined): unknown {
  if (data && typeof data['error'] === 'object' && data['error'] !== null) return data['error']
  return data && { message: data['message'], code: data['code'] }
}
