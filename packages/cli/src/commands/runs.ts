import type { Json, Run, RunEvent, WhenBusy } from '@longhaul/protocol'
import { Answer, Priority, RunState, may } from '@longhaul/protocol'
import { openLive } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import { follow } from '../follow.ts'
import type { FollowOptions } from '../follow.ts'
import { runIdFrom, shortId } from '../ids.ts'
import { instant } from '../instant.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { readJson } from '../read-json.ts'
import { printConnections } from '../show/connections.ts'
import { printFields, printList } from '../show/records.ts'
import { shortInput } from '../show/story.ts'
import { cut, oneLine } from '../show/text.ts'
import { ago, cost, counted, duration, moment, timeOfDay, wholeNumber } from '../show/values.ts'
import { sendFiles } from './attachments.ts'
import { start } from './ask.ts'

type ListOptions = { namespace?: string; agent?: string; state?: string; session?: string; parent?: string; limit: number; cursor?: string }

export async function listRuns(invocation: Invocation, { namespace, agent, state, session, parent: given, limit, cursor }: ListOptions): Promise<number> {
  const client = await invocation.client()
  const known = RunState.optional().safeParse(state)
  if (!known.success) throw new Problem('invalid', `There is no state "${state}".`, `States: ${RunState.options.join(', ')}`)
  const parent = given === undefined ? undefined : await runIdFrom(client, given)
  const page = await client.runs.list(present({ limit, namespace, agent, state: known.data, session, parent, cursor }))
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

type TailOptions = Pick<ListOptions, 'namespace' | 'agent' | 'state' | 'session'>

/** Goes on over lost connections, and misses nothing meanwhile. */
export async function tailRuns(invocation: Invocation, { namespace, agent, state, session }: TailOptions): Promise<number> {
  const { terminal, world } = invocation
  const say = (text: string) => void world.stderr.write(`${text}\n`)
  const known = RunState.optional().safeParse(state)
  if (!known.success) throw new Problem('invalid', `There is no state "${state}".`, `States: ${RunState.options.join(', ')}`)
  const live = openLive({
    ...(await invocation.credentials()),
    onConnection: (connection) => connection.state === 'lost' && say('The connection is lost; it is made again.'),
  })
  try {
    const filter = { limit: 1, ...present({ namespace, agent, session, state: known.data }) }
    if (!invocation.isJson) say('Runs as they begin and change. Ctrl-C ends this.')
    for await (const { event, data: run } of live.follow('runs.list', filter, { signal: world.interrupted })) {
      if (event === 'reset' || run === null) say('What changed just now cannot be known: the database was restored. See runs list.')
      else if (invocation.isJson) invocation.printJson(run)
      else
        terminal.print(
          `  ${timeOfDay(run.endedAt ?? new Date().toISOString())}  ${shortId(run.id)}  ${run.state.padEnd(9)}  ${run.agent}  ${cut(shortInput(run.input), 60)}`,
        )
    }
  } catch (error) {
    if (!world.interrupted.aborted) throw error
  } finally {
    live.close()
  }
  return exitCodes.done
}

export async function countRuns(invocation: Invocation, { since, namespace, agent }: { since: string; namespace?: string; agent?: string }): Promise<number> {
  const client = await invocation.client()
  const counts = await client.runs.count({ since: instant('since', since), ...present({ namespace, agent }) })
  if (invocation.isJson) invocation.printJson(counts)
  else {
    printList(
      invocation,
      [
        { name: 'agent' },
        { name: 'state', isWhole: true },
        { name: 'all', isNumber: true },
        { name: 'since then', isNumber: true },
        { name: 'processor', isWhole: true },
        { name: 'memory', isWhole: true },
      ],
      counts.items.map(({ agent: name, state, count, sinceCount, sinceCompute }) => [
        name,
        state,
        count,
        sinceCount,
        duration(sinceCompute.cpuMs),
        memoryInWords(sinceCompute),
      ]),
      ['No run since then, and none under way.'],
    )
    if (counts.isCut) invocation.terminal.print('  Only the newest 100,000 were counted: look at one agent, or at less time.', '')
  }
  return exitCodes.done
}

const computeInWords = (compute: Run['compute']): string => `${duration(compute.cpuMs)} of processor time, ${memoryInWords(compute)} of memory`

const memoryInWords = ({ memoryMbS }: Run['compute']): string =>
  memoryMbS < 10_000 ? `${wholeNumber(Math.round(memoryMbS))} MB·s` : `${wholeNumber(Math.round(memoryMbS / 1_000))} GB·s`

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
  options: FollowOptions & {
    input?: string
    namespace?: string
    session?: string
    whenBusy?: WhenBusy
    attach?: string[]
    idempotencyKey?: string
    webhook?: string[]
    queue?: string[]
    laneKey?: string
    priority?: string
    startAt?: string
    delay?: number
    watch?: boolean
    picked: { preview?: string; version?: string }
  },
): Promise<number> {
  const { laneKey, priority, startAt, delay } = options
  const level = Priority.optional().safeParse(priority)
  if (!level.success) throw new Problem('invalid', `There is no priority "${priority}".`, `Priorities: ${Priority.options.join(', ')}`)
  const destinations = [
    ...(options.webhook ?? []).map((url) => ({ type: 'webhook' as const, url })),
    ...(options.queue ?? []).map((queue) => ({ type: 'queue' as const, queue })),
  ]
  const input = await readJson(invocation, options.input)
  const files = options.attach ? await sendFiles(invocation, options.attach, options.namespace) : []
  const run = await start(invocation, {
    agent,
    input,
    ...(files.length > 0 && { attachments: files.map(({ id }) => id) }),
    namespace: options.namespace,
    session: options.session,
    whenBusy: options.whenBusy,
    idempotencyKey: options.idempotencyKey,
    ...(destinations.length > 0 && { destinations }),
    ...options.picked,
    ...present({ laneKey, priority: level.data, startAt, delayMs: delay }),
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

export async function decideStep(
  invocation: Invocation,
  given: string,
  op: string | undefined,
  { completed, failed, execute }: { completed?: string | true; failed?: string; execute?: boolean },
): Promise<number> {
  if ([completed, failed, execute].filter((choice) => choice !== undefined).length !== 1)
    throw new Problem('invalid', 'Give one of --completed, --failed and --execute.', 'npx longhaul runs decide --help')
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const step = op ?? (await client.runs.get({ runId })).wait?.op
  if (step === undefined) throw new Problem('conflict', `Run ${runId} waits for no decision about a step.`, `npx longhaul runs get ${runId}`)
  const run = await client.runs.decide({
    runId,
    op: step,
    ...(completed !== undefined
      ? { decision: 'completed', output: await readJson(invocation, completed === true ? undefined : completed) }
      : failed !== undefined
        ? { decision: 'failed', message: failed }
        : { decision: 'execute' }),
  })
  if (invocation.isJson) invocation.printJson(run)
  else invocation.terminal.print(`  Step ${step} of run ${runId} is decided.`, `  npx longhaul runs watch ${shortId(runId)}`)
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

export async function listConnections(invocation: Invocation, given: string, { limit, cursor }: { limit: number; cursor?: string }): Promise<number> {
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  return printConnections(invocation, await client.runs.connections({ runId, limit, ...(cursor !== undefined && { cursor }) }))
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
    ['started by', run.parent && `run ${run.parent.runId}, step ${run.parent.op}`],
    ['went on as', run.continuedAs && `run ${run.continuedAs}`],
    ['started', `${moment(run.createdAt)}${tookMs === undefined ? '' : ` · took ${duration(tookMs)}`}`],
    [
      'used',
      input + output > 0 &&
        `${wholeNumber(input)} tokens in${cachedInput ? ` (${wholeNumber(cachedInput)} cached)` : ''}, ${wholeNumber(output)} out · ${cost(costUsd)}`,
    ],
    ['worker', run.compute.memoryMbS > 0 && computeInWords(run.compute)],
    ['history', counted(run.eventCount, 'event')],
    ['input', shortInput(run.input)],
    ['answer', answer ? answer.text : run.output === null ? null : JSON.stringify(run.output)],
    ['failure', run.failure && run.failure.message],
  ])
  const next = may(run.state, 'cancel')
    ? ['watch', 'cancel', ...(run.wait?.kind === 'operator' ? [run.wait.reason === 'in_doubt' ? 'decide' : 'retry'] : [])]
    : ['watch']
  invocation.terminal.print(...next.map((verb) => `  npx longhaul runs ${verb} ${run.id}`), '')
}

function summary(data: RunEvent['data']): string {
  if ('failure' in data) return oneLine(data.failure.message)
  if ('needs' in data) return `${data.kind} ${data.name} · ${data.needs} decides: ${oneLine(data.message)}`
  if ('decision' in data) return `${data.kind} ${data.name} · ${data.decision}, by ${oneLine(data.by)}`
  if ('kind' in data) return `${data.kind} ${data.name}${'attempt' in data && data.attempt > 1 ? ` · attempt ${data.attempt}` : ''}`
  if ('end' in data) return `${data.end.runId} ${data.end.state}`
  if ('what' in data) return `${data.count} of ${data.max} ${data.what}`
  if ('message' in data) return oneLine(data.message)
  return shortInput('input' in data ? data.input : 'output' in data ? data.output : 'payload' in data ? data.payload : data)
}
