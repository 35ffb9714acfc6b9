import type { Hook } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { allHooksQuery } from '../../api/hooks.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { buttonClass } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon, Tag } from '../../ui/State.tsx'
import { coversRow } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { Listing } from '../Listing.tsx'

/** How messages and events from outside reach an agent: the channels of its folder, and hooks that somebody has set. */
export function HooksList({ agent }: { agent: string }) {
  const { t } = useTexts()
  const hooks = useQuery(allHooksQuery())
  return (
    <Section id="channels" title={t('agents.channels')}>
      <Listing<Hook>
        label={t('agents.channels')}
        query={hooks}
        rows={hooks.data?.items.filter((hook) => hook.agent === agent)}
        skeletonRows={2}
        idOf={({ id }) => id}
        empty={
          <EmptyState
            title={t('agents.noChannels')}
            action={
              <AppLink href={paths.hooks()} className={buttonClass('secondary')}>
                {t('admin.section.hooks')}
              </AppLink>
            }
          >
            {t('agents.noChannelsText')}
          </EmptyState>
        }
        columns={[
          {
            id: 'name',
            head: t('hooks.name'),
            className: 'sm:w-72',
            cell: ({ name, isPaused, fromVersion }) => (
              <span className="flex min-w-0 items-center gap-2">
                <StateIcon tone={isPaused ? 'off' : 'good'} />
                <span className="sr-only">{t(isPaused ? 'hooks.paused' : 'hooks.active')}</span>
                <AppLink href={paths.hook(name)} className={cx(coversRow, 'truncate font-medium')}>
                  {name}
                </AppLink>
                {fromVersion !== null && <Tag>{t('agents.declared')}</Tag>}
              </span>
            ),
          },
          {
            id: 'kind',
            head: t('hooks.kind'),
            className: 'w-32 sm:w-48',
            cell: ({ channel }) => t(channel === null ? 'hooks.kinds.hook' : `hooks.kinds.${channel.type}`),
          },
          {
            id: 'secrets',
            head: t('hooks.secrets'),
            className: 'max-md:hidden',
            cell: (hook) => <code className="block truncate text-xs text-ink-2">{hookSecrets(hook).join(', ')}</code>,
          },
        ]}
      />
    </Section>
  )
}

/** The stored secrets that it needs, by name. */
const hookSecrets = ({ secret, channel }: Hook): string[] => [...new Set([secret, ...(channel?.type === 'slack' ? [channel.token] : [])])]
