import type { PolicyDecision } from '@longhaul/protocol'
import { Fragment } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { AppLink } from '../../AppLink.tsx'

/** What policies said of a tool call, with a way to those that spoke. */
export function PolicyView({ policy: { outcome, policies } }: { policy: PolicyDecision }) {
  const { t } = useTexts()
  return (
    <span className={outcome === 'refused' ? 'text-bad' : undefined}>
      {t(`detail.policies.${outcome}`)}
      {policies.map((name, at) => (
        <Fragment key={name}>
          {at > 0 ? ', ' : ' '}
          {/* A text of several statements counts them: name#2. */}
          <AppLink href={paths.policy(name.replace(/#\d+$/, ''))} className="rounded-sm text-accent hover:underline">
            {name}
          </AppLink>
        </Fragment>
      ))}
    </span>
  )
}
