import type { Hook } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { AppLink } from '../../AppLink.tsx'
import { Facts } from '../../runs/detail/parts.tsx'

/** What the folder declares of a channel: whom to give its address, which secrets it needs, where a message is taken from, and where answers go. */
export function ChannelFacts({ hook, channel }: { hook: Hook; channel: NonNullable<Hook['channel']> }) {
  const { t } = useTexts()
  const code = (text: string) => <code className="text-xs break-all">{text}</code>
  const own: [string, ReactNode][] =
    channel.type === 'slack'
      ? [
          [t('hooks.signingSecret'), code(channel.signingSecret)],
          [t('hooks.token'), code(channel.token)],
          [t('hooks.replies'), code(channel.apiUrl)],
        ]
      : [
          [t('hooks.scheme'), t(`hooks.schemes.${channel.scheme}`)],
          [t('hooks.signingSecret'), code(channel.secret)],
          [t('hooks.message'), code(channel.message)],
          [t('hooks.conversation'), channel.conversation === undefined ? t('hooks.eachItsOwn') : code(channel.conversation)],
          ...(channel.from === undefined ? [] : ([[t('hooks.speaker'), code(channel.from)]] as [string, ReactNode][])),
          [t('hooks.events'), channel.events?.join(', ') ?? t('hooks.allEvents')],
          [t('hooks.replies'), channel.replyUrl === undefined ? t('hooks.noReplies') : code(channel.replyUrl)],
        ]
  return (
    <div className="space-y-3">
      <p className="max-w-3xl text-sm text-ink-2">{t(`hooks.giveTo.${channel.type}`)}</p>
      <Facts
        facts={[
          [t('hooks.kind'), t(`hooks.kinds.${channel.type}`)],
          [
            t('limits.agent'),
            <AppLink key="agent" href={paths.agent(hook.agent)} className="rounded-sm text-accent hover:underline">
              {hook.agent}
            </AppLink>,
          ],
          [t('limits.namespace'), hook.namespace],
          ...own,
          [
            t('hooks.answersSent'),
            <AppLink key="deliveries" href={paths.deliveries()} className="rounded-sm text-accent hover:underline">
              {t('admin.section.deliveries')}
            </AppLink>,
          ],
        ]}
      />
    </div>
  )
}
