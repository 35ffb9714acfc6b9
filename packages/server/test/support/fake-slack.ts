/** Slack as an app sees it: events signed as Slack signs them, and its Web API, https://docs.slack.dev/apis/web-api and .../reference/methods. */
import { createHmac } from 'node:crypto'
import { type IncomingMessage, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export type Posted = { channel: string; thread_ts?: string; text: string; ts: string; metadata?: { event_type: string; event_payload: object } }
/** What becomes of one `chat.postMessage`: posted, refused in Slack's words, or posted with the answer lost. */
export type Fate = 'ok' | 'lost' | { error: string } | { status: number; retryAfter?: number }

export async function openFakeSlack({ token, signingSecret, fate = () => 'ok' }: { token: string; signingSecret: string; fate?: (call: number) => Fate }) {
  const posted: Posted[] = []
  const asked: string[] = []
  let callCount = 0
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://slack')
      const method = pathname.replace('/api/', '')
      asked.push(method)
      const answer = (value: object, status = 200, headers = {}) =>
        response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', ...headers }).end(JSON.stringify(value))
      const problem = (error: string) => answer({ ok: false, error })
      if (request.headers.authorization !== `Bearer ${token}`) return problem(request.headers.authorization ? 'invalid_auth' : 'not_authed')
      if (method === 'conversations.replies' || method === 'conversations.history') {
        const thread = searchParams.get('ts')
        const messages = posted.filter((one) => one.channel === searchParams.get('channel') && (thread === null || one.thread_ts === thread))
        return answer({
          ok: true,
          has_more: false,
          messages: messages.map(({ metadata, ...one }) => ({
            type: 'message',
            ...one,
            ...(searchParams.get('include_all_metadata') === 'true' && { metadata }),
          })),
        })
      }
      if (method !== 'chat.postMessage') return problem('unknown_method')
      if (request.method !== 'POST' || !request.headers['content-type']?.startsWith('application/json')) return problem('invalid_form_data')
      const message = JSON.parse(body) as Omit<Posted, 'ts'>
      if (!message.channel) return problem('channel_not_found')
      if (!message.text) return problem('no_text')
      const what = fate(++callCount)
      if (typeof what === 'object' && 'error' in what) return problem(what.error)
      if (typeof what === 'object')
        return answer({ ok: false, error: 'ratelimited' }, what.status, what.retryAfter === undefined ? {} : { 'retry-after': String(what.retryAfter) })
      const ts = `1700000000.${String(callCount).padStart(6, '0')}`
      posted.push({ ...message, ts })
      if (what === 'lost') return request.socket.destroy()
      answer({ ok: true, channel: message.channel, ts, message: { ...message, ts } })
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    apiUrl: `http://127.0.0.1:${(server.address() as AddressInfo).port}/api`,
    posted,
    asked,
    /** A request as the Events API sends it. */
    sign(body: string, secret = signingSecret, at = Math.floor(Date.now() / 1_000)): Record<string, string> {
      const signature = createHmac('sha256', secret).update(`v0:${at}:${body}`).digest('hex')
      return { 'content-type': 'application/json', 'x-slack-request-timestamp': String(at), 'x-slack-signature': `v0=${signature}` }
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

/** An event of a workspace, as https://docs.slack.dev/apis/events-api#events-JSON has it. */
export const slackEvent = (event: Record<string, unknown>, eventId = `Ev${Math.random().toString(36).slice(2)}`): string =>
  JSON.stringify({
    token: 'old',
    team_id: 'T1',
    api_app_id: 'A1',
    type: 'event_callback',
    event_id: eventId,
    event_time: 1_700_000_000,
    authorizations: [{ team_id: 'T1', user_id: 'UBOT', is_bot: true }],
    event,
  })

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(chunk as Buffer)
  return Buffer.concat(chunks).toString('utf8')
}
