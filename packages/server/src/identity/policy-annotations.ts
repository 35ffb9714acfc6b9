/** What a policy's annotations say: that people may allow what it forbids, and who. No I/O. */
import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs'
import { ApprovalRule } from '@longhaul/protocol'

/** Those that say who, with the field of the rule and how its text is read. Beside these, what other tools write for themselves. */
const readers: Record<string, { field: keyof ApprovalRule; read(text: string): unknown; shape: string }> = {
  approvers: { field: 'approversMin', read: numberOf, shape: 'a whole number from 1 to 10, as in @approvers("2")' },
  approver_roles: {
    field: 'roles',
    read: (text) => text.split(',').map((role) => role.trim()),
    shape: 'roles, as in @approver_roles("administrator, approver")',
  },
  excludes_asker: { field: 'excludesAsker', read: (text) => text === '' || undefined, shape: 'nothing: @excludes_asker' },
  escalate_after: { field: 'escalateAfterMs', read: durationMsOf, shape: 'a duration from 1s to 366d, as in @escalate_after("1d12h")' },
}
const ofOthers = ['id', 'description', 'advice']

/** Who may allow what the policy forbids; undefined when nobody may. Throws an `Error` for what would have no effect or another than it seems to. */
export function ruleOf({ effect, annotations = {} }: Pick<PolicyJson, 'effect' | 'annotations'>): ApprovalRule | undefined {
  const { require: required, ...others } = annotations
  const said = Object.entries(others).filter(([name]) => !ofOthers.includes(name))
  if (required === undefined) {
    const [idle] = said.find(([name]) => Object.hasOwn(readers, name)) ?? []
    if (idle !== undefined) throw new Error(`@${idle} says who may allow it: it belongs to @require("approval"), which is not there.`)
    return undefined
  }
  if (required !== 'approval') throw new Error(`@require(${JSON.stringify(required)}) is not known: there is @require("approval").`)
  if (effect !== 'forbid') throw new Error('@require("approval") belongs to a `forbid`: a `permit` asks nobody.')
  const given = said.map(([name, text]) => {
    const reader = Object.hasOwn(readers, name) ? readers[name] : undefined
    if (!reader)
      throw new Error(
        `@${name} is not known beside @require("approval"). There are: ${Object.keys(readers)
          .map((known) => `@${known}`)
          .join(', ')}.`,
      )
    const value = reader.read(text ?? '')
    if (value === undefined) throw new Error(`@${name} has to be ${reader.shape}, not ${JSON.stringify(text)}.`)
    return [reader.field, value] as const
  })
  const parsed = ApprovalRule.safeParse(Object.fromEntries(given))
  if (parsed.success) return parsed.data
  throw new Error(
    parsed.error.issues
      .map(({ path: [field], message }) => {
        const [name, reader] = Object.entries(readers).find(([, known]) => known.field === field) ?? []
        return `@${name}: ${message}. It has to be ${reader?.shape}.`
      })
      .join(' '),
  )
}

function numberOf(text: string): number | undefined {
  return /^\d{1,2}$/.test(text) ? Number(text) : undefined
}

/** As Cedar writes durations. */
function durationMsOf(text: string): number | undefined {
  const [, ...parts] = /^(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,4})m)?(?:(\d{1,6})s)?$/.exec(text) ?? []
  if (text === '' || parts.length === 0) return undefined
  return parts.reduce((sum, part, at) => sum + Number(part ?? 0) * [86_400_000, 3_600_000, 60_000, 1_000][at]!, 0)
}
