/** OpenAI's chat completions, streamed. Ends with `[DONE]`; the usage comes in a chunk of its own without choices. */
import { dataOf } from './event-splitter.ts'
import { type Scanner, isComment, parseData } from './scanner.ts'
import { type TokenBuckets, readUsage } from '../money/index.ts'

/** `wantsUsage`: whether the caller asked for the chunk with the usage. Clients that did not may fall over its empty `choices`. */
export function scanChat({ wantsUsage }: { wantsUsage: boolean }): Scanner {
  let tokens: TokenBuckets | undefined
  let isFinished = false
  let isDone = false
  let hasWords = false
  const repair = repairToolCalls()

  return {
    isComplete: () => isDone || isFinished, // Some servers leave `[DONE]` out; a finish reason is as good.
    tokens: () => tokens,
    see(event) {
      if (isComment(event)) return { type: 'preamble' }
      if (event.includes('[DONE]') && dataOf(event) === '[DONE]') {
        isDone = true
        return { type: 'content' }
      }
      // The first chunk says only who speaks.
      const isOpening = !hasWords && event.includes('"content":""') && !event.includes('"tool_calls"')
      hasWords ||= !isOpening
      isFinished ||= /"finish_reason" ?: ?"/.test(event.toString('latin1'))
      const hasUsage = event.includes('"usage"') && !event.includes('"usage":null')
      const hasCalls = event.includes('"tool_calls"')
      if (!hasUsage && !hasCalls && !event.includes('"error"')) return { type: isOpening ? 'preamble' : 'content' }
      const chunk = parseData(dataOf(event))
      if (!chunk) return { type: 'content' }
      if (isError(chunk)) return { type: 'error', error: chunk['error'] }
      if (hasUsage && chunk['usage']) {
        tokens = readUsage('openai-chat', chunk['usage']) ?? tokens
        if (!wantsUsage && Array.isArray(chunk['choices']) && chunk['choices'].length === 0) return { type: 'hidden' }
      }
      return hasCalls && repair(chunk) ? { type: 'content', instead: Buffer.from(`data: ${JSON.stringify(chunk)}\n\n`) } : { type: 'content' }
    },
  }
}

/** An answer may speak of errors; an event that is one has no choices. */
const isError = (chunk: Record<string, unknown>): boolean => chunk['error'] !== undefined && chunk['error'] !== null && !Array.isArray(chunk['choices'])

type Call = { index?: unknown; id?: unknown }
/** The calls of one choice: their places by id, and by the index that the server gave last. */
type Places = { byId: Map<string, number>; byGiven: Map<number, number>; used: Set<number>; last: number }

/**
 * Clients put the pieces of a call together by `index`, and its id comes only once. Some servers leave the index out, or give all
 * calls the same. True when the chunk was changed.
 */
function repairToolCalls(): (chunk: Record<string, unknown>) => boolean {
  const choices = new Map<unknown, Places>()
  return (chunk) => {
    let isChanged = false
    for (const choice of list(chunk['choices'])) {
      const places = choices.get(choice['index']) ?? { byId: new Map(), byGiven: new Map(), used: new Set(), last: 0 }
      choices.set(choice['index'], places)
      const delta = choice['delta'] as Record<string, unknown> | undefined
      for (const call of list(delta?.['tool_calls']) as Call[]) {
        const place = placeOf(call, places)
        isChanged ||= call.index !== place
        call.index = place
      }
    }
    return isChanged
  }
}

function placeOf(call: Call, places: Places): number {
  const given = typeof call.index === 'number' ? call.index : undefined
  const id = typeof call.id === 'string' && call.id !== '' ? call.id : undefined
  if (id === undefined) return (places.last = given === undefined ? places.last : (places.byGiven.get(given) ?? given))
  const place = places.byId.get(id) ?? (given !== undefined && !places.used.has(given) ? given : firstFree(places.used))
  places.byId.set(id, place)
  places.used.add(place)
  if (given !== undefined) places.byGiven.set(given, place)
  return (places.last = place)
}

function firstFree(used: ReadonlySet<number>): number {
  let place = used.size
  while (used.has(place)) place++
  return place
}

const list = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? value.filter((item) => typeof item === 'object' && item !== null) : [])
