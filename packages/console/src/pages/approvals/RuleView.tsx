import type { Approval, ApprovalRule } from '@longhaul/protocol'
import { Fragment } from 'react'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { formatDuration, formatInstant } from '../../ui/format.ts'
import { AppLink } from '../AppLink.tsx'

type Props = {
  rule: ApprovalRule | null | undefined
  /** By whose wish. */
  from?: Approval['ruleFrom']
  /** From when on everybody may decide. Absent: so long after it is asked. */
  escalatesAt?: Approval['escalatesAt']
  /** Who has approved so far. */
  approvedBy?: readonly string[] | undefined
}

/** Who has to say yes, by whose wish, and who has. */
export function RuleView({ rule, from, escalatesAt, approvedBy = [] }: Props) {
  const { t, locale } = useTexts()
  const { approversMin = 1, excludesAsker = false, roles, escalateAfterMs } = rule ?? {}
  const words = [
    approversMin > 1 ? t('approvals.several', { count: approversMin }) : t('approvals.one'),
    ...(roles ? [t('approvals.ofRoles', { roles: roles.map((role) => t(`people.roles.${role}`)).join(', ') })] : []),
    ...(excludesAsker ? [t('approvals.notAsker')] : []),
    ...(escalatesAt
      ? [t('approvals.escalates', { when: formatInstant(Date.parse(escalatesAt), locale) })]
      : escalateAfterMs !== undefined
        ? [t('approvals.escalatesAfter', { time: formatDuration(escalateAfterMs, locale) })]
        : []),
    ...(approvedBy.length > 0 ? [t('approvals.soFar', { names: approvedBy.join(', ') })] : []),
  ]
  return (
    <>
      {words.join(' · ')}
      {from && (
        <>
          {' · '}
          {from.policies.length === 0 ? t('approvals.byCode') : t(from.isOfCode ? 'approvals.byBoth' : 'approvals.byPolicies')}
          <PolicyLinks ids={from.policies} />
        </>
      )}
    </>
  )
}

/** The same as a line of its own. */
export function RuleLine(props: Props) {
  return (
    <p className="text-sm text-ink-2">
      <RuleView {...props} />
    </p>
  )
}

/** Policies by the names that decisions give them: a text of several statements counts them, name#2. */
export function PolicyLinks({ ids }: { ids: readonly string[] }) {
  return ids.map((id, at) => (
    <Fragment key={id}>
      {at > 0 ? ', ' : ' '}
      <AppLink href={paths.policy(id.replace(/#\d+$/, ''))} className="rounded-sm text-accent hover:underline">
        {id}
      </AppLink>
    </Fragment>
  ))
}
