/** From a signed payload to what an agent is told: who said what in which conversation, and where the answer goes. Pure, but for the rows of channels. */
import type { Asker, Channel, ChannelReply, Destination, Json } from '@longhaul/protocol'
import { createHash } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { type TenantTx, audienceOf } from '../db/index.ts'
import { AppError, newId } from '../kernel/index.ts'
import { deleteHook, listDeclared, upsertHook, withdrawHook } from './hook-store.ts'
import { valueAt } from './mapping.ts'

/** What somebody has said. `labels`: these are words from outside. */
export type Said = { input: Json; session: string | undefined; destinations: (Destination | ChannelReply)[]; labels: string[] }

const messageLengthMax = 100_000
const on: ChannelReply['on'] = ['completed', 'failed', 'approval']

/** Whether it is a message for the agent at all: not one of its own or of another program, nor an edit, nor talk between people. */
export function isMessage(channel: Channel, payload: Json): boolean {
  return channel.type === 'webhook' || slackMessage(payload) !== undefined
}

/** Throws `invalid` with the place where something is missing. */
export function readMessage(channel: Channel, name: string, payload: Json): Said {
  const labels = [`channel:${name}`]
  if (channel.type === 'slack') {
    const said = slackMessage(payload)
    if (!said) throw new AppError('invalid', 'The event is no message to the agent.')
    const { team, conversation, thread, user, text } = said
    return {
      input: { message: text, from: { channel: name, team, user } },
      session: sessionOf(name, team, conversation, thread),
      destinations: [{ type: 'channel', channel: name, conversation, ...(thread !== undefined && { thread }), on }],
      labels,
    }
  }
  const message = textAt(channel.message, payload, messageLengthMax)
  const from = channel.from === undefined ? undefined : textAt(channel.from, payload, 256)
  return {
    input: { message, from: { channel: name, ...(from !== undefined && { user: from }) } },
    session: channel.conversation === undefined ? undefined : sessionOf(name, textAt(channel.conversation, payload, 1_000)),
    destinations: channel.replyUrl === undefined ? [] : [{ type: 'webhook', url: channel.replyUrl, on }],
    labels,
  }
}

const sessionLengthMax = 128

/** Under the channel's name: whoever sends names its conversations, and none of anybody else. */
function sessionOf(channel: string, ...parts: (string | undefined)[]): string {
  const session = [channel, ...parts].flatMap((part) => part ?? []).join(':')
  return session.length > sessionLengthMax ? createHash('sha256').update(session).digest('hex') : session
}

type SlackMessage = { team: string; conversation: string; thread: string | undefined; user: string; text: string }

/** https://docs.slack.dev/reference/events/app_mention, https://docs.slack.dev/reference/events/message.im */
function slackMessage(payload: Json): SlackMessage | undefined {
  const { team_id: team, event } = fieldsOf(payload)
  const { type, channel, channel_type: kind, user, text, ts, thread_ts: inThread, bot_id: program, subtype } = fieldsOf(event)
  const isDirect = type === 'message' && kind === 'im'
  if (!isDirect && type !== 'app_mention') return undefined
  if (program !== undefined || (subtype !== undefined && subtype !== 'file_share')) return undefined
  if (![team, channel, user, text, ts].every((field) => typeof field === 'string')) return undefined
  const words = unescape(String(text).replace(/^\s*<@[A-Z0-9]+(\|[^>]*)?>\s*/, ''))
    .slice(0, messageLengthMax)
    .trim()
  if (words === '') return undefined
  const thread = typeof inThread === 'string' ? inThread : isDirect ? undefined : String(ts)
  return { team: String(team), conversation: String(channel), thread, user: String(user), text: words }
}

const fieldsOf = (value: Json | undefined): Record<string, Json | undefined> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}

/** https://docs.slack.dev/messaging/formatting-message-text#escaping */
const unescape = (text: string): string => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

function textAt(pointer: string, payload: Json, lengthMax: number): string {
  const value = valueAt(pointer, payload)
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || text === '' || text.length > lengthMax)
    throw new AppError('invalid', `${pointer}: must be a text of 1 to ${lengthMax} characters.`)
  return text
}

export type DeclaredChannels = {
  tenantId: string
  agent: string
  version: string
  /** Whose access the runs have. */
  asker: Asker
  channels: readonly { name: string; channel: Channel }[]
}

/** Makes what is declared hold: a hook for each channel. What is declared no longer is deleted, but for what somebody has paused. How many rows were made, changed or deleted. */
export async function syncChannels(tx: TenantTx, { tenantId, agent, version, asker, channels }: DeclaredChannels): Promise<number> {
  const everybody = { ...audienceOf(tenantId, asker), askerId: undefined }
  const rows = await listDeclared(tx, agent)
  let changedCount = 0
  for (const { name: short, channel } of channels) {
    const name = `${agent}.${short}`
    const known = rows.find((row) => row.name === name)
    if (known && known.fromVersion === version && isDeepStrictEqual(known.channel, channel) && isDeepStrictEqual(known.asker, asker)) continue
    await upsertHook(tx, everybody, {
      id: known?.id ?? newId(),
      name,
      agent,
      namespace: 'default',
      ...inbound(channel),
      action: { type: 'start', input: '' },
      toleranceMs: 300_000,
      asker,
      setBy: asker.name,
      fromVersion: version,
      channel,
    })
    changedCount++
  }
  for (const { id, name, isPaused, channel } of rows) {
    if (!channel || channels.some((one) => `${agent}.${one.name}` === name)) continue
    if (isPaused) await withdrawHook(tx, id)
    else await deleteHook(tx, everybody, name)
    changedCount++
  }
  return changedCount
}

const inbound = (channel: Channel) =>
  channel.type === 'slack'
    ? { scheme: 'slack' as const, secret: channel.signingSecret, events: ['app_mention', 'message'] }
    : { scheme: channel.scheme, secret: channel.secret, events: channel.events ?? null }
