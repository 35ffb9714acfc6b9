/** What clients ask of a hosted program, on its way there and back: admitted, bounded in number and in time, answered once. */
import {
  type JSONRPCMessage,
  type JSONRPCNotification,
  type JSONRPCRequest,
  type JSONRPCResponse,
  type RequestId,
  isJSONRPCRequest,
  isJSONRPCResponse,
} from '@modelcontextprotocol/server'
import { type Log, after, toFailure } from '../../kernel/index.ts'
import type { ProgramTransport } from '../../tools/index.ts'

/** Why a tool may not be called now, or what the call is to keep to. `over` is told how it went. */
export type Admitted = { refusal: string } | { refusal?: undefined; timeoutMs?: number | undefined; over(isDone: boolean): void }

export type PipeOptions = {
  program: ProgramTransport
  answerMsMax: number
  /** Asked before a tool is called. Rejects while that cannot be decided. */
  admit(call: { name: string; input: unknown }): Promise<Admitted>
  /** The program says something that is no answer. */
  onSaid(message: JSONRPCRequest | JSONRPCNotification): void
  /** The program has ended, and those who waited have been told. */
  onEnd(): void
  log: Log
}

export type Pipe = {
  /** The program's answer, or ours where it gives none; undefined when it was cancelled. Never rejects. */
  ask(request: JSONRPCRequest): Promise<JSONRPCResponse | undefined>
  /** Passes on what wants no answer. A cancellation ends what it cancels. */
  tell(message: JSONRPCNotification): void
  /** A client's answer to what the program asked. One that nobody waits for is left out. */
  answer(message: JSONRPCResponse): void
  cancel(id: RequestId, reason: string): void
  /** Under way, oldest first. */
  waiting: ReadonlyMap<RequestId, JSONRPCRequest>
  /** How often somebody has asked or told it something. */
  useCount(): number
}

const requestsMax = 64
/** What the program has asked its clients, and has no answer to. */
const questionsMax = 64

const codes = { refused: -32_000, invalidRequest: -32_600, internal: -32_603 }

export function openPipe({ program, answerMsMax, admit, onSaid, onEnd, log }: PipeOptions): Pipe {
  const waiting = new Map<RequestId, JSONRPCRequest>()
  const settle = new Map<RequestId, (answer: JSONRPCResponse | undefined) => void>()
  const questions = new Set<RequestId>()
  let useCount = 0

  const send = (message: JSONRPCMessage): void =>
    void program.send(message).catch((error: unknown) => {
      if (isJSONRPCRequest(message)) settle.get(message.id)?.(problem(message.id, codes.internal, toFailure(error).message))
    })

  /* oxlint-disable unicorn/prefer-add-event-listener -- It is no event target: this is the library's only way. */
  program.onclose = () => {
    for (const [id, give] of settle) give(problem(id, codes.internal, `The program has ended. ${program.whyEnded ?? ''}`.trimEnd()))
    setImmediate(onEnd) // Their answers are on their way then.
  }
  program.onmessage = (message: JSONRPCMessage) => {
    if (isJSONRPCResponse(message)) return void (message.id !== undefined && settle.get(message.id)?.(message))
    if (isJSONRPCRequest(message)) {
      if (questions.size >= questionsMax) return send(problem(message.id, codes.refused, `${questionsMax} requests wait for their client already.`))
      questions.add(message.id)
    }
    onSaid(message)
  }
  /* oxlint-enable unicorn/prefer-add-event-listener */

  async function ask(request: JSONRPCRequest): Promise<JSONRPCResponse | undefined> {
    const { id } = request
    useCount++
    if (waiting.has(id)) return problem(id, codes.invalidRequest, 'A request of this id is under way.')
    if (waiting.size >= requestsMax) return problem(id, codes.refused, `${requestsMax} requests are under way already.`)
    waiting.set(id, request)
    let admitted: Admitted | undefined
    let answer: JSONRPCResponse | undefined
    let cancelTimer = () => {}
    try {
      const answered = new Promise<JSONRPCResponse | undefined>((resolve) => settle.set(id, resolve))
      const call = callOf(request)
      admitted = call && (await admit(call))
      if (admitted?.refusal !== undefined) return (answer = toolError(id, admitted.refusal))
      if (program.whyEnded !== undefined) return problem(id, codes.internal, `The program has ended. ${program.whyEnded}`)
      const ms = Math.min(answerMsMax, admitted?.timeoutMs ?? answerMsMax)
      if (!isSubscription(request)) {
        cancelTimer = after(ms, () => {
          const why = `It took longer than ${ms / 1_000} s.`
          settle.get(id)?.(call ? toolError(id, why) : problem(id, codes.internal, why))
          send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason: why } })
        })
      }
      if (waiting.has(id)) send(request) // Unless it was cancelled meanwhile.
      answer = await answered
      return answer
    } catch (error) {
      log.warn('a request to a hosted MCP server was not passed on', { error })
      return problem(id, codes.internal, 'The call cannot be admitted at the moment. Try again.')
    } finally {
      cancelTimer()
      waiting.delete(id)
      settle.delete(id)
      if (admitted && admitted.refusal === undefined) admitted.over(answer !== undefined && isGood(answer))
    }
  }

  function forget(id: RequestId): void {
    waiting.delete(id)
    settle.get(id)?.(undefined)
  }

  return {
    ask,
    waiting,
    useCount: () => useCount,
    tell(message) {
      useCount++
      send(message)
      const cancelled = message.method === 'notifications/cancelled' ? message.params?.['requestId'] : undefined
      if (typeof cancelled === 'string' || typeof cancelled === 'number') forget(cancelled)
    },
    answer(message) {
      useCount++
      if (message.id !== undefined && questions.delete(message.id)) send(message)
    },
    cancel(id, reason) {
      if (!waiting.has(id)) return
      send({ jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: id, reason } })
      forget(id)
    },
  }
}

function callOf({ method, params }: JSONRPCRequest): { name: string; input: unknown } | undefined {
  return method === 'tools/call' ? { name: String(params?.['name'] ?? '').slice(0, 128), input: params?.['arguments'] ?? {} } : undefined
}

/** It lasts as long as its client listens. */
export const isSubscription = ({ method }: JSONRPCRequest): boolean => method === 'subscriptions/listen'

export const problem = (id: RequestId, code: number, message: string): JSONRPCResponse => ({ jsonrpc: '2.0', id, error: { code, message } })

/** As a result, so that a model can read it. Clients of 2026-07-28 want to know that it is all. */
const toolError = (id: RequestId, text: string): JSONRPCResponse => ({
  jsonrpc: '2.0',
  id,
  result: { resultType: 'complete', content: [{ type: 'text', text }], isError: true },
})

const isGood = (answer: JSONRPCResponse): boolean => 'result' in answer && answer.result['isError'] !== true
