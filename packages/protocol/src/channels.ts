/** Channels: how messages from outside reach an agent, and how its answers go back. A file of the agent's folder, `channels/<name>.ts` or `.json`. */
import { z } from 'zod'
import { SecretName } from './connections.ts'
import { WebhookUrl } from './destinations.ts'
import { HookScheme, JsonPointer } from './hook-schemes.ts'

const ApiUrl = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
  .max(500)
  .refine((text) => !text.endsWith('/'), 'must not end with "/"')

/**
 * The app of a Slack workspace. It asks with events of Slack's Events API; a thread is a session, and is where the answer goes, by `chat.postMessage`.
 * What it is told are mentions of the app (`app_mention`) and direct messages (`message` of the channel type `im`).
 */
export const SlackChannel = z.strictObject({
  type: z.literal('slack'),
  /** The stored secret with which Slack signs. */
  signingSecret: SecretName,
  /** The stored secret that is the app's bot token (`xoxb-…`, scope `chat:write`). */
  token: SecretName,
  /** Slack's Web API. Another one for GovSlack. */
  apiUrl: ApiUrl.default('https://slack.com/api'),
})
export type SlackChannel = z.infer<typeof SlackChannel>

/** Any service that signs its webhooks. The answer is a webhook of ours, signed as Standard Webhooks says, with `<agent>.<channel>:<conversation>` in `data.session`. */
export const WebhookChannel = z.strictObject({
  type: z.literal('webhook'),
  scheme: HookScheme,
  /** The stored secret with which the sender signs. */
  secret: SecretName,
  /** Where in the payload the message is, as a JSON pointer. */
  message: JsonPointer,
  /** Where in the payload the conversation is named: it becomes the session. Absent: each message is one of its own. */
  conversation: JsonPointer.optional(),
  /** Where in the payload it says who speaks. */
  from: JsonPointer.optional(),
  /** Types of events that it takes. Absent: all. */
  events: z.array(z.string().min(1).max(128)).min(1).max(100).optional(),
  /** Where answers go. Absent: nowhere. */
  replyUrl: WebhookUrl.optional(),
})
export type WebhookChannel = z.infer<typeof WebhookChannel>

export const Channel = z.discriminatedUnion('type', [SlackChannel, WebhookChannel])
export type Channel = z.infer<typeof Channel>
