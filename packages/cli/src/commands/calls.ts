import type { CallOutcome, CallPrivacyRule, LoggedCall, LoggedCallWithTexts } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { instant } from '../instant.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, cost, duration, moment } from '../show/values.ts'

export type ListOptions = {
  from?: string
  to?: string
  namespace?: string
  model?: string
  keyId?: string
  user?: string
  session?: string
  outcome?: CallOutcome
  status?: number
  costMin?: string
  costMax?: string
  limit: number
  cursor?: string
}

export async function listCalls(invocation: Invocation, options: ListOptions): Promise<number> {
  const { from, to, namespace, model, keyId, user, session, outcome, status, costMin, costMax, limit, cursor } = options
  const page = await (
    await invocation.client()
  ).calls.list({
    limit,
    ...(cursor !== undefined && { cursor }),
    ...(from !== undefined && { from: instant('from', from) }),
    ...(to !== undefined && { to: instant('to', to) }),
    ...(namespace !== undefined && { namespace }),
    ...(model !== undefined && { model }),
    ...(keyId !== undefined && { key: keyId }),
    ...(user !== undefined && { user }),
    ...(session !== undefined && { session }),
    ...(outcome !== undefined && { outcome }),
    ...(status !== undefined && { status }),
    ...(costMin !== undefined && { costUsdMin: dollars('cost-min', costMin) }),
    ...(costMax !== undefined && { costUsdMax: dollars('cost-max', costMax) }),
  })
  if (invocation.isJson) invocation.printJson(page)
  else {
    printList(
      invocation,
      [
        { name: 'when' },
        { name: 'asked for', isWhole: true },
        { name: 'ended' },
        { name: 'cost', isWhole: true },
        { name: 'in', isNumber: true },
        { name: 'out', isNumber: true },
        { name: 'took' },
        { name: 'user' },
        { name: 'call', isWhole: true },
      ],
      page.items.map((call) => [
        ago(call.at),
        call.model,
        endOf(call),
        costOf(call),
        tokens(call, call.inputTokens),
        tokens(call, call.outputTokens),
        duration(call.durationMs),
        call.user ?? '–',
        call.id,
      ]),
      ['No model was called over HTTP.'],
    )
    if (page.next !== null) invocation.terminal.print(`  More: --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

export async function getCall(invocation: Invocation, callId: string): Promise<number> {
  return show(invocation, await (await invocation.client()).calls.get({ callId }))
}

export async function revealCall(invocation: Invocation, callId: string, reason: string): Promise<number> {
  return show(invocation, await (await invocation.client()).calls.reveal({ callId, reason }))
}

export async function listPrivacy(invocation: Invocation): Promise<number> {
  const rules: CallPrivacyRule[] = []
  const client = await invocation.client()
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page: { items: CallPrivacyRule[]; next: string | null } = await client.callPrivacy.list(cursor === undefined ? {} : { cursor })
    rules.push(...page.items)
    cursor = page.next
  }
  if (invocation.isJson) invocation.printJson({ items: rules })
  else {
    const rows = rules.map(({ namespace, privacy, days, setBy, setAt }) => [namespace ?? 'all others', privacy, `${days} days`, setBy, ago(setAt)])
    printList(invocation, [{ name: 'namespace', isWhole: true }, { name: 'kept' }, { name: 'for' }, { name: 'set by' }, { name: 'when' }], rows, [
      'Nobody has said anything: texts are kept for 30 days, and shown masked.',
    ])
  }
  return exitCodes.done
}

const privacies = ['full', 'masked', 'none'] as const satisfies readonly CallPrivacyRule['privacy'][]

export async function setPrivacy(invocation: Invocation, kept: string, { namespace, days }: { namespace?: string; days: number }): Promise<number> {
  const privacy = privacies.find((each) => each === kept)
  if (!privacy) throw new Problem('invalid', `"${kept}" is no privacy.`, `There are: ${privacies.join(', ')}`)
  const rule = await (await invocation.client()).callPrivacy.set({ privacy, days, ...(namespace !== undefined && { namespace }) })
  if (invocation.isJson) invocation.printJson(rule)
  else invocation.terminal.print(`  Calls of ${rule.namespace ?? 'all other namespaces'} from now on: ${rule.privacy}, kept for ${rule.days} days.`)
  return exitCodes.done
}

function show(invocation: Invocation, call: LoggedCallWithTexts): number {
  if (invocation.isJson) {
    invocation.printJson(call)
    return exitCodes.done
  }
  printFields(invocation, [
    ['call', call.id],
    ['when', moment(call.at)],
    ['asked for', call.model],
    ['answered by', call.answeredBy ?? '–'],
    ['ended', endOf(call)],
    ['took', duration(call.durationMs)],
    ['cost', costOf(call)],
    ['tokens', `${call.inputTokens} in, ${call.outputTokens} out${call.isEstimated ? '; estimated, since a provider did not say what it used' : ''}`],
    ['namespace', call.namespace],
    ['key', call.keyId],
    ['user', call.user ?? '–'],
    ['session', call.session ?? '–'],
    ['privacy', call.isMasked ? `${call.privacy}; "calls reveal" shows what is hidden` : call.privacy],
  ])
  for (const [name, value] of [
    ['request', call.request],
    ['answer', call.answer],
  ] as const)
    invocation.terminal.print(`  ${name}`, value === null ? '  nothing is kept' : JSON.stringify(value, null, 2), '')
  if (call.isCut) invocation.terminal.print('  Parts that were too large are missing.', '')
  return exitCodes.done
}

/** What is estimated in part is marked, as a figure that is about right. */
const tokens = ({ isEstimated }: LoggedCall, count: number): string => `${isEstimated ? '~' : ''}${count}`
const costOf = ({ isEstimated, costUsd }: LoggedCall): string => `${isEstimated && costUsd !== null ? '~' : ''}${cost(costUsd)}`

const endOf = ({ outcome, status, code, isKeptAnswer }: LoggedCall): string =>
  code !== null ? `${outcome} (${status} ${code})` : isKeptAnswer ? 'answered from the cache' : outcome

function dollars(option: string, given: string): number {
  const usd = Number(given)
  if (given.trim() === '' || !(usd >= 0)) throw new Problem('invalid', `--${option} ${given} is no amount.`, 'Give dollars, such as 0.5.')
  return usd
}
