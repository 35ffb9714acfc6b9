/** Answers in Slack: `chat.postMessage` of Slack's Web API, with the app's token, which only the server has. */
import type { ChannelReply, Failure, Json, SlackChannel } from '@longhaul/protocol'
import { type WebhookAnswer, type WebhookReach, send } from '../outcomes/index.ts'

export type SlackReply = {
  channel: SlackChannel
  to: ChannelReply
  /** Of the delivery: the same through all attempts. */
  deliveryId: string
  attempt: number
  run: { id: string; state: string; output: Json; failure: Failure | null }
  /** What it asks of people, where that is told and not its end. */
  asked: { title: string; link: string | null } | null
  token: string
  reach: WebhookReach
}

/** Slack cuts a text after 40,000 characters. */
const textLengthMax = 39_000
const eventType = 'longhaul_answer'
/** What may be over in a while. Anything else will be refused again. */
const passing = ['ratelimited', 'rate_limited', 'internal_error', 'fatal_error', 'service_unavailable', 'request_timeout', 'team_added_to_org']

/** Posts the answer where the message came from. Never rejects. */
export async function replyInSlack(reply: SlackReply): Promise<WebhookAnswer> {
  const { channel, to, deliveryId, attempt, run, asked } = reply
  // An attempt before may have been posted although its answer was lost. Where the app may not look, it is posted again.
  if (attempt > 1 && (await isPosted(reply))) return { isDone: true }
  const answer = await call(reply, `${channel.apiUrl}/chat.postMessage`, {
    channel: to.conversation,
    ...(to.thread !== undefined && { thread_ts: to.thread }),
    text: wordsOf(run, asked),
    unfurl_links: false,
    unfurl_media: false,
    metadata: { event_type: eventType, event_payload: { delivery: deliveryId, run: run.id } },
  })
  if ('problem' in answer) return { isDone: false, ...answer }
  if (answer.body['ok'] === true) return { isDone: true }
  const error = String(answer.body['error'] ?? 'no reason')
  return { isDone: false, problem: `Slack refused the answer: ${error}`, mayRetry: passing.includes(error) }
}

async function isPosted({ channel, to, deliveryId, ...rest }: SlackReply): Promise<boolean> {
  const method = to.thread === undefined ? 'conversations.history' : 'conversations.replies'
  const query = new URLSearchParams({ channel: to.conversation, ...(to.thread !== undefined && { ts: to.thread }), include_all_metadata: 'true', limit: '200' })
  const answer = await call({ channel, to, deliveryId, ...rest }, `${channel.apiUrl}/${method}?${query}`, undefined)
  const messages = 'body' in answer && Array.isArray(answer.body['messages']) ? answer.body['messages'] : []
  return messages.some((message: { metadata?: { event_type?: string; event_payload?: { delivery?: string } } }) => {
    const { event_type: type, event_payload: payload } = message.metadata ?? {}
    return type === eventType && payload?.delivery === deliveryId
  })
}

type Called = { body: Record<string, unknown> } | Omit<Extract<WebhookAnswer, { isDone: false }>, 'isDone'>

async function call({ token, reach }: SlackReply, url: string, body: object | undefined): Promise<Called> {
  const answer = await send({
    url,
    reach,
    method: body ? 'POST' : 'GET',
    headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json; charset=utf-8' }) },
    body: body ? JSON.stringify(body) : '',
    answerLengthMax: 2_000_000,
  })
  if ('problem' in answer) return answer
  const { status, text, retryAfterMs } = answer
  if (status !== 200)
    return {
      problem: `Slack answered ${status}: ${text.slice(0, 300)}`,
      mayRetry: status === 429 || status >= 500,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    }
  try {
    return { body: JSON.parse(text) as Record<string, unknown> }
  } catch {
    return { problem: 'Slack answered with what is not JSON.', mayRetry: true } // A proxy between, for example.
  }
}

/** The answer as Slack shows it. Nothing in it is a command to Slack: a mention of everybody, for example, is only its letters. */
function wordsOf({ id, state, output }: SlackReply['run'], asked: SlackReply['asked']): string {
  const text = asked
    ? `This waits for somebody’s yes or no: ${asked.title}\n${asked.link ?? `Those who may decide find it in the console: run ${id}.`}`
    : state === 'completed'
      ? answerText(output)
      : `This could not be answered. Those who run this agent can look it up: run ${id}.`
  const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
  return escaped.length > textLengthMax ? `${escaped.slice(0, textLengthMax).replace(/&[a-z]{0,3}$/, '')}\n[The rest is left out.]`.toWellFormed() : escaped
}

function answerText(output: Json): string {
  if (typeof output === 'string') return output === '' ? '(no answer)' : output
  const text = typeof output === 'object' && output !== null && !Array.isArray(output) ? output['text'] : undefined
  return typeof text === 'string' && text.trim() !== '' ? text : JSON.stringify(output)
}
