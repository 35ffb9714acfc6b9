/** Brings answers back through the channels of agents' folders, as these are now. */
import type { ChannelReply, SecretRef } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../db/index.ts'
import type { DueDelivery, WebhookAnswer, WebhookReach } from '../outcomes/index.ts'
import { findOpenHook } from './hook-store.ts'
import { replyInSlack } from './slack.ts'

export type ChannelRepliesOptions = {
  db: Db
  /** Throws when there is no such secret, or when it is not for this agent or host. */
  readSecret(ref: z.output<typeof SecretRef>, use: { tenantId: string; agent: string; runId: string; host: string }): Promise<string>
  reach: WebhookReach
}

export const channelReplies =
  ({ db, readSecret, reach }: ChannelRepliesOptions) =>
  async ({
    id,
    tenantId,
    attempt,
    destination,
    run,
    approval,
    link,
  }: DueDelivery & { destination: ChannelReply; link: string | null }): Promise<WebhookAnswer> => {
    const hook = await findOpenHook(db.forTenant(tenantId), destination.channel)
    if (hook?.channel?.type !== 'slack' || hook.agent !== run.agent)
      return { isDone: false, problem: `The channel ${destination.channel} is not open: the live version of ${run.agent} does not declare it.`, mayRetry: true }
    const host = new URL(hook.channel.apiUrl).hostname
    const token = await readSecret({ secret: hook.channel.token, prefix: '' }, { tenantId, agent: hook.agent, runId: run.id, host })
    return replyInSlack({
      channel: hook.channel,
      to: destination,
      deliveryId: id,
      attempt,
      run,
      asked: approval && { title: approval.title, link },
      token,
      reach,
    })
  }
