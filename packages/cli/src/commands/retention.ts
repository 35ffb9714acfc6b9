import type { Retention } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { ago, counted } from '../show/values.ts'

const scopeOf = ({ namespace }: Pick<Retention, 'namespace'>): string => (namespace === null ? 'all others' : namespace)

export async function getRetention(invocation: Invocation): Promise<number> {
  const page = await (await invocation.client()).retention.list({ limit: 200 })
  if (invocation.isJson) invocation.printJson(page)
  else
    printList(
      invocation,
      [{ name: 'namespace', isWhole: true }, { name: 'days', isNumber: true }, { name: 'set by' }, { name: 'since', isWhole: true }],
      page.items.map((rule) => [scopeOf(rule), rule.days, rule.setBy, ago(rule.setAt)]),
      ['Runs are kept for ever.', 'npx longhaul retention set 90'],
    )
  return exitCodes.done
}

export async function setRetention(invocation: Invocation, given: string, { namespace, yes }: { namespace?: string; yes?: boolean }): Promise<number> {
  const days = given === 'forever' ? null : Number(given)
  if (days !== null && !(Number.isInteger(days) && days > 0)) throw new Problem('invalid', `"${given}" is no number of days.`, 'Give whole days, or: forever')
  if (days !== null && !yes)
    throw new Problem(
      'invalid',
      `Runs that ended more than ${counted(days, 'day')} ago are deleted at once, and for good.`,
      'Export what you need (longhaul runs export), then add --yes.',
    )
  const rule = await (await invocation.client()).retention.set({ ...(namespace !== undefined && { namespace }), days })
  if (invocation.isJson) invocation.printJson(rule)
  else
    invocation.terminal.print(
      days === null
        ? `  In ${scopeOf(rule)}: what was said is taken back.`
        : `  In ${scopeOf(rule)}: runs are deleted ${counted(days, 'day')} after their end.`,
    )
  return exitCodes.done
}
