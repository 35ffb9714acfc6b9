import { ApiError, keepTrying } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import type { Json, Priority, Run, WhenBusy } from '@longhaul/protocol'
import { randomUUID } from 'node:crypto'
import { follow } from '../follow.ts'
import type { FollowOptions } from '../follow.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { printable, wrap } from '../show/text.ts'
import { sendFiles } from './attachments.ts'
import { promptFrom } from './prompts.ts'

export type AskOptions = FollowOptions & {
  session?: string | undefined
  whenBusy?: WhenBusy | undefined
  preview?: string
  version?: string
  attach?: string[] | undefined
  prompt?: string | undefined
  argument?: string[] | undefined
}

export async function ask(invocation: Invocation, agent: string, words: string[], options: AskOptions): Promise<number> {
  const { terminal, world, isJson, printJson } = invocation
  const question = (words.length === 1 && words[0] === '-' ? await world.readStdin() : words.join(' ')).trim()
  const { session, whenBusy, preview, version, attach = [], prompt, argument } = options
  if (!question && prompt === undefined) throw new Problem('invalid', 'There is no question.', 'npx longhaul ask analyst "What was our revenue last month?"')
  const files = await sendFiles(invocation, attach)
  const run = await start(invocation, {
    agent,
    input: question,
    ...(prompt !== undefined && { prompt: promptFrom(prompt, argument) }),
    ...(files.length > 0 && { attachments: files.map(({ id }) => id) }),
    session,
    whenBusy,
    ...(preview !== undefined && { preview }),
    ...(version !== undefined && { version }),
  })
  if (isJson) printJson({ type: 'run', runId: run.id, agent: run.agent, version: run.version, state: run.state })
  else if (!options.isQuiet) {
    const { paint, width } = terminal
    terminal.print(
      '',
      ...wrap(printable([prompt, question].filter(Boolean).join(' · ')), width - 4).map((line) => `  ${paint('bold', line)}`),
      ...files.map(({ name, bytes }) => `  ${paint('dim', `with ${printable(name)}, ${bytes} bytes`)}`),
      `  ${paint('dim', `${run.agent} · run ${run.id}`)}`,
      '',
    )
  }
  return follow(invocation, run, options)
}

/** How long a start is tried when nobody answers: a server restarts in less. */
const startGiveUpAfterMs = 15_000

/** Starts a run exactly once, however often the request has to be sent: the key tells the server that it is the same request. */
export async function start(
  invocation: Invocation,
  input: {
    agent: string
    input: Json
    attachments?: string[]
    prompt?: { connection: string; name: string; arguments: Record<string, string> }
    namespace?: string | undefined
    session?: string | undefined
    whenBusy?: WhenBusy | undefined
    idempotencyKey?: string | undefined
    destinations?: ({ type: 'webhook'; url: string } | { type: 'queue'; queue: string })[]
    laneKey?: string
    priority?: Priority
    startAt?: string
    delayMs?: number
    preview?: string
    version?: string
  },
): Promise<Run> {
  const client = await invocation.client()
  const { terminal, world } = invocation
  const { session, whenBusy, idempotencyKey = randomUUID(), ...rest } = input
  let hasTold = false
  try {
    return await keepTrying(
      () =>
        client.runs.start(
          { ...rest, ...(session !== undefined && { session }), ...(whenBusy !== undefined && { whenBusy }), idempotencyKey },
          { signal: world.interrupted },
        ),
      {
        giveUpAfterMs: startGiveUpAfterMs,
        signal: world.interrupted,
        onRetry(error) {
          if (!hasTold) world.stderr.write(`${error.message} Trying for ${startGiveUpAfterMs / 1_000} s.\n`)
          hasTold = true
          terminal.status(() => 'starting')
        },
      },
    )
  } catch (error) {
    if (error instanceof ApiError && error.code === 'not_found') throw await unknownAgent(client, input.agent, error)
    throw error
  } finally {
    terminal.status(undefined)
  }
}

/** The list of agents is a courtesy: a key that may not read it still gets the plain error. */
export async function unknownAgent(client: Client, name: string, error: ApiError): Promise<Error> {
  const agents = await client.agents.list().catch(() => undefined)
  if (!agents || agents.items.some((agent) => agent.name === name)) return error
  const names = agents.items.map((agent) => agent.name)
  if (names.length === 0)
    return new Problem('not_found', `There is no agent "${name}", and no other.`, 'Agents are folders that the server deploys when it starts: see its log.')
  const near = nearNames(name, names)
  return new Problem(
    'not_found',
    `There is no agent "${name}".`,
    ...(near.length > 0 ? [`Did you mean ${near.join(' or ')}?`] : [`There is: ${names.join(', ')}`]),
  )
}
