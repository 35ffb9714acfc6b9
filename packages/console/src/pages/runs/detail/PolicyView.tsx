import type { PolicyDecision } from '@longhaul/protocol'
import { useTexts } from '../../../i18n/index.ts'
import { PolicyLinks } from '../../approvals/RuleView.tsx'

/** What policies said of a tool call, with a way to those that spoke. */
export function PolicyView({ policy: { outcome, policies } }: { policy: PolicyDecision }) {
  const { t } = useTexts()
  return (
    <span className={outcome === 'refused' ? 'text-bad' : undefined}>
      {t(`detail.policies.${outcome}`)}
      <PolicyLinks ids={policies} />
    </span>
  )
}
