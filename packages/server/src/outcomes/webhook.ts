/** One signed POST, as Standard Webhooks describes it (https://www.standardwebhooks.com). */
import { createHmac } from 'node:crypto'
import { request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { Unreachable, type WebhookReach, assertReachable, guardedLookup } from './addresses.ts'

export type WebhookAnswer = { isDone: true } | { isDone: false; problem: string; mayRetry: boolean; retryAfterMs?: number }

const timeoutMs = 15_000
const answerLengthMax = 300

/** `secret` is `whsec_` and base64. The same id and body are signed anew for each attempt, since the signature covers its time. */
export function signStandard(secret: string, id: string, seconds: number, body: string | Uint8Array): string {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  return `v1,${createHmac('sha256', key).update(`${id}.${seconds}.`).update(body).digest('base64')}`
}

export type WebhookOptions = {
  url: string
  id: string
  body: string
  secret: string
  reach: WebhookReach
  nowMs: number
  lookup?: ReturnType<typeof guardedLookup>
}

/** Never rejects. */
export async function post({ url, id, body, secret, reach, nowMs, lookup }: WebhookOptions): Promise<WebhookAnswer> {
  const seconds = Math.floor(nowMs / 1_000)
  const headers = {
    'content-type': 'application/json',
    'webhook-id': id,
    'webhook-timestamp': String(seconds),
    'webhook-signature': signStandard(secret, id, seconds, body),
  }
  const answer = await send({ url, reach, method: 'POST', headers, body, answerLengthMax, ...(lookup && { lookup }) })
  if ('problem' in answer) return { isDone: false, ...answer }
  const { status, text, retryAfterMs } = answer
  if (status >= 200 && status < 300) return { isDone: true }
  const said = text.trim() === '' ? '' : `: ${text.trim().slice(0, answerLengthMax)}`
  // 410 says that nobody listens there any more.
  return { isDone: false, problem: `It answered ${status}${said}`, mayRetry: status !== 410, ...(retryAfterMs !== undefined && { retryAfterMs }) }
}

export type SendOptions = Pick<WebhookOptions, 'url' | 'reach' | 'body' | 'lookup'> & {
  method: 'POST' | 'GET'
  headers: Record<string, string>
  /** What of the answer is read. */
  answerLengthMax: number
}
export type Sent = { status: number; text: string; retryAfterMs?: number } | { problem: string; mayRetry: boolean }

/** One request to where our own words may go. Never rejects. Redirects are not followed: they would lead past what the address was looked at for. */
export function send({ url, reach, method, headers, body, answerLengthMax, lookup = guardedLookup(reach) }: SendOptions): Promise<Sent> {
  return new Promise((resolve) => {
    const failed = (error: unknown) => resolve({ problem: error instanceof Error ? error.message : String(error), mayRetry: !(error instanceof Unreachable) })
    try {
      const address = new URL(url)
      assertReachable(address, reach)
      const request = (address.protocol === 'https:' ? requestHttps : requestHttp)(address, {
        method,
        agent: false,
        lookup,
        signal: AbortSignal.timeout(timeoutMs),
        headers: { ...headers, 'content-length': Buffer.byteLength(body), 'user-agent': 'longhaul-webhooks' },
      })
      request.on('error', (error) => failed(error.name === 'TimeoutError' ? new Error(`No answer within ${timeoutMs / 1_000} s.`) : error))
      request.on('response', (response) => {
        const status = response.statusCode ?? 0
        const chunks: Buffer[] = []
        let bytes = 0
        response.on('data', (chunk: Buffer) => {
          if (bytes >= answerLengthMax) return response.destroy()
          chunks.push(chunk)
          bytes += chunk.length
        })
        response.on('close', () => {
          const retryAfterMs = toRetryAfterMs(response.headers['retry-after'])
          resolve({ status, text: Buffer.concat(chunks).toString('utf8'), ...(retryAfterMs !== undefined && { retryAfterMs }) })
        })
        response.on('error', failed)
      })
      request.end(body)
    } catch (error) {
      failed(error)
    }
  })
}

const retryAfterMsMax = 3_600_000

function toRetryAfterMs(header: string | undefined): number | undefined {
  const seconds = Number(header)
  return header === undefined || !(seconds >= 0) ? undefined : Math.min(retryAfterMsMax, seconds * 1_000)
}
