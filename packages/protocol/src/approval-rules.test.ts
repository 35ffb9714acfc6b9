/** Rules of approvals against each other: what fulfils both, and what is as strict. */
import { expect, test } from 'vitest'
import { type ApprovalRule, bothRules, fulfils } from './approval-rules.ts'

const counts = [1, 2]
const rolesOf: (ApprovalRule['roles'] | undefined)[] = [undefined, ['administrator'], ['approver'], ['administrator', 'approver']]
const rules: ApprovalRule[] = counts.flatMap((approversMin) =>
  [false, true].flatMap((excludesAsker) =>
    rolesOf.flatMap((roles) =>
      (roles ? [undefined, 1_000, 5_000] : [undefined]).map((escalateAfterMs) => ({
        ...{ approversMin, excludesAsker },
        ...(roles && { roles }),
        ...(escalateAfterMs !== undefined && { escalateAfterMs }),
      })),
    ),
  ),
)
/** By what a rule means: all sets of at most two who are named so, at a moment, that it takes for a yes. */
const people = (['administrator', 'approver'] as const).flatMap((role) => [true, false].map((isAsker) => ({ role, isAsker })))
const votes = people.flatMap((one) => [[one], ...people.filter((other) => other !== one).map((other) => [one, other])])
const accepts = (rule: ApprovalRule, of: typeof people, atMs: number): boolean =>
  of.length >= rule.approversMin &&
  of.every(({ role, isAsker }) => !(rule.excludesAsker && isAsker) && (!rule.roles || rule.roles.includes(role) || atMs >= (rule.escalateAfterMs ?? Infinity)))
const moments = [0, 1_000, 5_000]
const everyYes = (check: (of: typeof people, atMs: number) => boolean) => votes.every((of) => moments.every((atMs) => check(of, atMs)))

test('what fulfils a rule is taken by it, for every two rules, whoever votes and whenever', () => {
  for (const given of rules)
    for (const needed of rules) {
      const both = bothRules(given, needed)
      if (fulfils(given, needed)) expect(everyYes((of, at) => !accepts(given, of, at) || accepts(needed, of, at))).toBe(true)
      if (!both) expect(given.roles?.some((role) => needed.roles?.includes(role))).toBe(false)
      else expect([fulfils(both, given), fulfils(both, needed), fulfils(given, given)]).toEqual([true, true, true])
    }
})
