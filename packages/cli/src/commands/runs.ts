import type { Json, Run, RunEvent } from '@longhaul/protocol'
import { Answer, RunState, may } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { follow } from '../follow.ts'
import type { FollowOptions } from '../follow.ts'
import { runIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { shortInput } from '../show/story.ts'
import { cut, oneLine } from '../show/text.ts'
import { ago, cost, counted, duration, moment, timeOfDay, wholeNumber } from '../show/values.ts'
import { start } from './ask.ts'

type ListOptions = { namespace?: string; agent?: string; state?: string; session?: string; limit: number; cursor?: string }

export async function listRuns(invocation: Invocation, { namespace, agent, state, session, limit, cursor }: ListOptions): Promise<number> {
  const client = await invocation.client()
  const known = RunState.optional().safeParse(state)
  if (!known.success) throw new Problem('invalid', `There is no state "${state}".`, `States: ${RunState.options.join(', ')}`)
  const page = await client.runs.list(present({ limit, namespace, agent, state: known.data, session, cursor }))
  if (invocation.isJson) invocation.printJson(page)
  else {
    // A person's terminal gets the end of the id, which is enough for every command; a file gets all of it.
    const idOf = ({ id }: Run) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = page.items.map((run) => [idOf(run), run.agent, run.state, ago(run.createdAt), shortInput(run.input)])
    printList(
      invocation,
      [{ name: 'run', isWhole: true }, { name: 'agent' }, { name: 'state', isWhole: true }, { name: 'started', isWhole: true }, { name: 'input' }],
      rows,
      ['No runs yet.', 'npx longhaul ask analyst "What was our revenue last month?"'],
    )
    if (page.next) invocation.terminal.print(`  More: --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

export async function getRun(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const run = await client.runs.get({ runId: await runIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(run)
  else printRun(invocation, run)
  return exitCodes.done
}

export async function startRun(
  invocation: Invocation,
  agent: string,
  options: FollowOptions & { input?: string; namespace?: string; session?: string; idempotencyKey?: string; watch?: boolean },
): Promise<number> {
  const run = await start(invocation, {
    agent,
    input: await readJson(invocation, options.input),
    namespace: options.namespace,
    session: options.session,
    idempotencyKey: options.idempotencyKey,
  })
  if (options.watch) return follow(invocation, run, options)
  if (invocation.isJson) invocation.printJson(run)
  else printRun(invocation, run)
  return exitCodes.done
}

export async function watchRun(invocation: Invocation, given: string, options: FollowOptions): Promise<number> {
  const client = await invocation.client()
  const run = await client.runs.get({ runId: await runIdFrom(client, given) })
  if (!invocation.isJson && !options.isQuiet) {
    const { paint, width } = invocation.terminal
    invocation.terminal.print(
      '',
      `  ${paint('bold', cut(shortInput(run.input), width - 4))}`,
      `  ${paint('dim', `${run.agent} · run ${run.id} · started ${moment(run.createdAt)}`)}`,
      '',
    )
  }
  return follow(invocation, run, options)
}

export async function cancelRun(invocation: Invocation, given: string, { reason }: { reason?: string }): Promise<number> {
  const client = await invocation.client()
  const run = await client.runs.cancel({ runId: await runIdFrom(client, given), ...(reason === undefined ? {} : { reason }) })
  if (invocation.isJson) invocation.printJson(run)
  else invocation.terminal.print(run.state === 'cancelled' ? `  Run ${run.id} is cancelled.` : `  Run ${run.id} had ended before: it is ${run.state}.`)
  return exitCodes.done
}

export async function retryRun(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const run = await client.runs.retry({ runId: await runIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(run)
  else invocation.terminal.print(`  Run ${run.id} is taken up again.`, `  npx longhaul runs watch ${shortId(run.id)}`)
  return exitCodes.done
}

export async function signalRun(
  invocation: Invocation,
  given: string,
  name: string,
  payload: string | undefined,
  { idempotencyKey }: { idempotencyKey?: string },
): Promise<number> {
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const run = await client.runs.signal({
    runId,
    name,
    payload: await readJson(invocation, payload),
    ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
  })
  if (invocation.isJson) invocation.printJson(run)
  else invocation.terminal.print(`  Signal ${oneLine(name)} is with run ${run.id}.`)
  return exitCodes.done
}

export async function listEvents(invocation: Invocation, given: string, { after }: { after: number }): Promise<number> {
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const events: RunEvent[] = []
  for (let from: number | null = after; from !== null;) {
    const page: { items: RunEvent[]; next: number | null } = await client.runs.events({ runId, after: from })
    if (invocation.isJson) for (const event of page.items) invocation.printJson(event)
    events.push(...page.items)
    from = page.items.length > 0 ? page.next : null
  }
  if (!invocation.isJson) {
    const rows = events.map(({ seq, type, op, at, data }) => [seq, type, op ?? '', timeOfDay(at), summary(data)])
    printList(
      invocation,
      [{ name: '#', isNumber: true }, { name: 'event', isWhole: true }, { name: 'op', isWhole: true }, { name: 'at', isWhole: true }, { name: 'what' }],
      rows,
      [`Run ${runId} has no events after ${after}.`],
    )
  }
  return exitCodes.done
}

export async function getStep(invocation: Invocation, given: string, op: string): Promise<number> {
  const client = await invocation.client()
  const step = await client.runs.step({ runId: await runIdFrom(client, given), op })
  if (invocation.isJson) invocation.printJson(step)
  else {
    const shown = (value: Json) => (typeof value === 'string' ? value : JSON.stringify(value, null, 2))
    printFields(invocation, [
      ['step', `${step.op} · ${step.kind} ${step.name} · attempt ${step.attempt}`],
      ['took', step.durationMs === null ? null : duration(step.durationMs)],
      ['input', step.input === null ? null : shown(step.input)],
      ['output', step.output === null ? null : shown(step.output)],
      ['failure', step.failure && step.failure.message],
      ['stack', step.failure?.stack],
    ])
  }
  return exitCodes.done
}

/** Without the fields that were not given: absent is not `undefined` in the contract. */
const present = <Fields extends object>(fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as { [Field in keyof Fields]?: Exclude<Fields[Field], undefined> } // What the filter leaves.

function printRun(invocation: Invocation, run: Run): void {
  const answer = Answer.safeParse(run.output).data
  const { input, cachedInput, output, costUsd } = run.usage
  const tookMs = run.startedAt && run.endedAt ? Date.parse(run.endedAt) - Date.parse(run.startedAt) : undefined
  printFields(invocation, [
    ['run', run.id],
    ['agent', `${run.agent} · version ${run.version.slice(0, 12)}`],
    ['state', run.state],
    [
      'waits',
      run.wait &&
        `${run.wait.kind} ${run.wait.name}${run.wait.reason ? ` (${run.wait.reason})` : ''}${run.wait.until ? ` until ${moment(run.wait.until)}` : ''}`,
    ],
    [
      'asked by',
      run.asker.name +
        (run.asker.access.regions ? ` · only ${run.asker.access.regions.join(', ')}` : '') +
        (run.asker.access.personalData ? '' : ' · no personal data'),
    ],
    ['session', run.session],
    ['started', `${moment(run.createdAt)}${tookMs === undefined ? '' : ` · took ${duration(tookMs)}`}`],
    [
      'used',
      input + output > 0 &&
        `${wholeNumber(input)} tokens in${cachedInput ? ` (${wholeNumber(cachedInput)} cached)` : ''}, ${wholeNumber(output)} out · ${cost(costUsd)}`,
    ],
    ['history', counted(run.eventCount, 'event')],
    ['input', shortInput(run.input)],
    ['answer', answer ? answer.text : run.output === null ? null : JSON.stringify(run.output)],
    ['failure', run.failure && run.failure.message],
  ])
  const next = may(run.state, 'cancel') ? ['watch', 'cancel', ...(run.wait?.kind === 'operator' ? ['retry'] : [])] : ['watch']
  invocation.terminal.print(...next.map((verb) => `  npx longhaul runs ${verb} ${run.id}`), '')
}

function summary(data: RunEvent['data']): string {
  if ('failure' in data) return oneLine(data.failure.message)
  if ('kind' in data) return `${data.kind} ${data.name}${'attempt' in data && data.attempt > 1 ? ` · attempt ${data.attempt}` : ''}`
  if ('message' in data) return oneLine(data.message)
  return shortInput('input' in data ? data.input : 'output' in data ? data.output : 'payload' in data ? data.payload : data)
}

/** JSON from the command line, from a file (`@file`) or from standard input (`-`). */
async function readJson({ world }: Invocation, given: string | undefined): Promise<Json> {
  if (given === undefined) return null
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  let text = given
  if (given === '-') text = await world.readStdin()
  else if (given.startsWith('@')) {
    text = await readFile(resolve(world.folder, given.slice(1)), 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Problem('invalid', `${given.slice(1)} cannot be read: ${error.code}.`)
    })
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem(
      'invalid',
      `That is not JSON: ${error instanceof Error ? error.message : error}`,
      `A text needs quotes of its own: '"${cut(oneLine(text), 30).replaceAll("'", '')}"'`,
    )
  }
}
