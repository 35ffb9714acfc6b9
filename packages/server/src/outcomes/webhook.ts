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

/** Never rejects. Redirects are not followed: they would lead past what the address was looked at for. */
export function post({ url, id, body, secret, reach, nowMs, lookup = guardedLookup(reach) }: WebhookOptions): Promise<WebhookAnswer> {
  return new Promise((resolve) => {
    const failed = (error: unknown) =>
      resolve({ isDone: false, problem: error instanceof Error ? error.message : String(error), mayRetry: !(error instanceof Unreachable) })
    try {
      const address = new URL(url)
      assertReachable(address, reach)
      const seconds = Math.floor(nowMs / 1_000)
      const request = (address.protocol === 'https:' ? requestHttps : requestHttp)(address, {
        method: 'POST',
        agent: false,
        lookup,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'longhaul-webhooks',
          'webhook-id': id,
          'webhook-timestamp': String(seconds),
          'webhook-signature': signStandard(secret, id, seconds, body),
        },
      })
      request.on('error', (error) => failed(error.name === 'TimeoutError' ? new Error(`No answer within ${timeoutMs / 1_000} s.`) : error))
      request.on('response', (response) => {
        const status = response.statusCode ?? 0
        let text = ''
        response.on('data', (chunk: Buffer) => (text.length < answerLengthMax ? (text += chunk.toString('utf8', 0, answerLengthMax)) : response.destroy()))
        response.on('close', () => {
          if (status >= 200 && status < 300) return resolve({ isDone: true })
          const said = text.trim() === '' ? '' : `: ${text.trim().slice(0, answerLengthMax)}`
          const retryAfterMs = toRetryAfterMs(response.headers['retry-after'])
          // 410 says that nobody listens there any more.
          resolve({ isDone: false, problem: `It answered ${status}${said}`, mayRetry: status !== 410, ...(retryAfterMs !== undefined && { retryAfterMs }) })
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
