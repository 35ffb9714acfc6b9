import { type ArgumentSource, type AskAnswers, type AskField, type AskValue, approvalStates, asksOf } from '@longhaul/protocol'
import type { Client } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import { approvalIdFrom, runIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { whoDecides } from '../show/approval-rule.ts'
import { printFields, printList } from '../show/records.ts'
import { oneLine } from '../show/text.ts'
import { ago } from '../show/values.ts'

export async function listApprovals(
  invocation: Invocation,
  { state, all, run, limit }: { state?: string; all?: boolean; run?: string; limit: number },
): Promise<number> {
  const client = await invocation.client()
  const wanted = all ? undefined : approvalStates.find((known) => known === (state ?? 'pending'))
  if (!all && !wanted) throw new Problem('invalid', `There is no state "${state}".`, `States: ${approvalStates.join(', ')}`)
  const page = await client.approvals.list({ limit, ...(wanted ? { state: wanted } : {}), ...(run !== undefined && { runId: await runIdFrom(client, run) }) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map((approval) => [idOf(approval.id), approval.state, approval.agent, ago(approval.createdAt), approval.title])
    printList(
      invocation,
      [{ name: 'approval', isWhole: true }, { name: 'state', isWhole: true }, { name: 'agent' }, { name: 'asked' }, { name: 'title' }],
      rows,
      [wanted === 'pending' ? 'Nothing waits for a yes or no.' : 'No approvals.'],
    )
  }
  return exitCodes.done
}

/** What would be done, and where each argument was first said. */
export async function showApproval(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const approval = await client.approvals.get({ approvalId: await approvalIdFrom(client, given) })
  if (invocation.isJson) {
    invocation.printJson(approval)
    return exitCodes.done
  }
  const { id, state, title, agent, runId, createdAt, expiresAt, decidedBy, comment, detail, sources, labels, isCut, approvedBy = [] } = approval
  printFields(invocation, [
    ['approval', id],
    ['state', decidedBy === null ? state : `${state} by ${decidedBy}`],
    ['title', title],
    ['agent', agent],
    ['run', runId],
    ['asked', ago(createdAt)],
    ['until', expiresAt],
    ['needs', whoDecides(approval)],
    ['approved', state === 'pending' && approvedBy.length > 0 && `by ${approvedBy.join(', ')}, so far`],
    ['comment', comment],
    ['detail', detail !== null && JSON.stringify(detail)],
    ['has read', labels.join(', ')],
  ])
  printList(
    invocation,
    [{ name: 'argument', isWhole: true }, { name: 'text' }, { name: 'from', isWhole: true }, { name: 'words of' }],
    sources.map((source) => [source.path.join('.'), oneLine(source.text), fromOf(source, runId), source.labels.join(', ')]),
    ['No arguments whose origin can be told.'],
  )
  if (isCut) invocation.terminal.print('  More came before than was looked through: what is of the agent may have been said there.')
  return exitCodes.done
}

function fromOf({ kind, name, runId, op }: ArgumentSource, askingId: string): string {
  const where = `${op === null ? '' : ` (step ${op})`}${runId === null || runId === askingId ? '' : ` of run ${runId}`}`
  const words = {
    asker: `the asker ${name}`,
    instructions: "the agent's instructions",
    step: `${name}${where}`,
    run: `run of ${name ?? 'another agent'}${where}`,
    signal: `the signal ${name}`,
    person: `an answer of ${name}`,
    agent: 'the agent itself',
  }
  return oneLine(words[kind])
}

export async function decideApproval(
  invocation: Invocation,
  given: string,
  approved: boolean,
  { comment, answer = [] }: { comment?: string; answer?: string[] },
): Promise<number> {
  const client = await invocation.client()
  const approvalId = await approvalIdFrom(client, given)
  const answers = answer.length > 0 ? await answersFrom(client, approvalId, answer) : undefined
  const approval = await client.approvals.decide({ approvalId, approved, ...(comment !== undefined && { comment }), ...(answers && { answers }) })
  if (invocation.isJson) invocation.printJson(approval)
  else {
    const left = (approval.rule?.approversMin ?? 1) - (approval.approvedBy?.length ?? 0)
    const said = approval.state === 'pending' ? `Approved by you; it takes ${left} more` : approval.state === 'approved' ? 'Approved' : 'Denied'
    invocation.terminal.print(`  ${said}: ${oneLine(approval.title)}`)
  }
  return exitCodes.done
}

/** `name=value` as the field of this name takes it. `true` and `yes`, numbers, and options separated by commas. */
async function answersFrom(client: Client, approvalId: string, given: readonly string[]): Promise<AskAnswers> {
  const { items } = await client.approvals.list({ state: 'pending', limit: 200 })
  const asks = asksOf(items.find(({ id }) => id === approvalId)?.detail ?? null)
  const answers: AskAnswers = {}
  for (const one of given) {
    const [, name = '', text = ''] = /^([^=]+)=(.*)$/s.exec(one) ?? []
    const ask = asks.find(({ fields }) => fields?.some((field) => field.name === name))
    const field = ask?.fields?.find((candidate) => candidate.name === name)
    if (!ask || !field)
      throw new Problem(
        'invalid',
        `Nothing is asked for as ${JSON.stringify(name || one)}.`,
        `It asks for: ${asks.flatMap(({ fields = [] }) => fields.map((known) => known.name)).join(', ') || 'nothing but a yes or no'}`,
      )
    answers[ask.key] = { ...answers[ask.key], [name]: valueOf(field, text) }
  }
  return answers
}

function valueOf({ kind }: AskField, text: string): AskValue {
  if (kind === 'yes-no') return /^(true|yes)$/i.test(text) ? true : /^(false|no)$/i.test(text) ? false : text
  if (kind === 'choices') return text.split(',').filter((option) => option !== '')
  return (kind === 'number' || kind === 'integer') && text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : text
}
