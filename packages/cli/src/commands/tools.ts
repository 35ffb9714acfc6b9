import type { Tool, ToolLimits } from '@longhaul/protocol'
import type { Client } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { type FollowOptions, follow } from '../follow.ts'
import { readJson } from '../read-json.ts'
import { printFields, printList } from '../show/records.ts'
import { duration, moment } from '../show/values.ts'

export async function listTools(invocation: Invocation, agent: string, { refresh }: { refresh?: boolean }): Promise<number> {
  const client = await invocation.client()
  const { items, problems } = await (refresh ? client.tools.refresh({ agent }) : client.tools.list({ agent }))
  if (invocation.isJson) invocation.printJson({ items, problems })
  else {
    const rows = items.map((tool) => [
      tool.name,
      tool.state,
      tool.kind,
      tool.calls.count,
      tool.calls.errorCount,
      tool.calls.durationMsP50 === null ? '' : duration(tool.calls.durationMsP50),
      tool.calls.durationMsP95 === null ? '' : duration(tool.calls.durationMsP95),
      limitText(tool.limits),
    ])
    const columns = [
      { name: 'tool', isWhole: true },
      { name: 'state', isWhole: true },
      { name: 'from' },
      { name: 'calls' },
      { name: 'errors' },
      { name: 'p50' },
      { name: 'p95' },
      { name: 'limits' },
    ]
    printList(invocation, columns, rows, [`${agent} has no tools.`])
    for (const { connection, message } of problems) invocation.terminal.print(`  ${connection}: ${message}`)
    for (const tool of items.filter(({ state }) => state === 'changed' || state === 'added'))
      invocation.terminal.print(`  ${tool.name} waits for approval: npx longhaul tools get ${agent} ${tool.name}`, '')
  }
  return exitCodes.done
}

export async function getTool(invocation: Invocation, agent: string, name: string): Promise<number> {
  const tool = await find(await invocation.client(), agent, name)
  if (invocation.isJson) invocation.printJson(tool)
  else {
    const { calls, pin } = tool
    printFields(invocation, [
      ['tool', tool.name],
      ['state', tool.state],
      ['from', tool.connection ? `${tool.kind}, connection ${tool.connection}` : tool.kind],
      ['about', tool.description],
      ['arguments', JSON.stringify(tool.inputSchema)],
      ['limits', limitText(tool.limits)],
      ['calls', `${calls.count}, of which ${calls.errorCount} failed`],
      [
        'approved',
        pin?.hash ? `${pin.hash}${pin.decidedBy ? `, by ${pin.decidedBy} ${pin.decidedAt ? moment(pin.decidedAt) : ''}` : ', as it was seen first'}` : null,
      ],
      ...(pin?.changes ?? []).map(({ path, from, to }): [string, string] => [`changed`, `${path}\n- ${JSON.stringify(from)}\n+ ${JSON.stringify(to)}`]),
    ])
    if (pin?.offeredHash) invocation.terminal.print('  If that is right:', `npx longhaul tools approve ${agent} ${name} --hash ${pin.offeredHash}`, '')
  }
  return exitCodes.done
}

export async function approveTool(invocation: Invocation, agent: string, name: string, { hash }: { hash: string }): Promise<number> {
  const client = await invocation.client()
  const tool = await client.tools.approve({ agent, tool: name, hash })
  if (invocation.isJson) invocation.printJson(tool)
  else invocation.terminal.print(`  ${name} of ${agent} is approved as it is now (${hash.slice(0, 12)}…).`)
  return exitCodes.done
}

export async function callTool(
  invocation: Invocation,
  agent: string,
  tool: string,
  options: FollowOptions & { input?: string; namespace?: string; idempotencyKey?: string },
): Promise<number> {
  const { namespace, idempotencyKey } = options
  const input = options.input === undefined ? {} : await readJson(invocation, options.input)
  const client = await invocation.client()
  const run = await client.tools.start({
    agent,
    tool,
    input,
    ...(namespace !== undefined && { namespace }),
    ...(idempotencyKey !== undefined && { idempotencyKey }),
  })
  return follow(invocation, run, options)
}

export type LimitOptions = {
  perMinute?: number
  concurrent?: number
  timeout?: number
  resultCharacters?: number
  off?: boolean
  on?: boolean
  clear?: boolean
}

export async function limitTool(invocation: Invocation, agent: string, pattern: string, options: LimitOptions): Promise<number> {
  const { perMinute, concurrent, timeout, resultCharacters, off, on, clear } = options
  const limits: ToolLimits = {
    ...(perMinute !== undefined && { perMinute }),
    ...(concurrent !== undefined && { concurrent }),
    ...(timeout !== undefined && { timeoutMs: timeout * 1_000 }),
    ...(resultCharacters !== undefined && { resultCharactersMax: resultCharacters }),
    ...(off && { isOff: true }),
    ...(on && { isOff: false }),
  }
  const isEmpty = Object.keys(limits).length === 0
  if (isEmpty !== (clear ?? false))
    throw new Problem('invalid', clear ? 'Either set limits or take them back with --clear.' : 'There is no limit to set.', 'npx longhaul tools limit --help')
  const set = await (await invocation.client()).tools.limit({ agent, pattern, limits })
  if (invocation.isJson) invocation.printJson(set)
  else
    printList(
      invocation,
      [{ name: 'tools', isWhole: true }, { name: 'limits' }],
      Object.entries(set.limits).map(([name, one]) => [name, limitText(one)]),
      [`No operator’s limits for ${agent}.`],
    )
  return exitCodes.done
}

async function find(client: Client, agent: string, name: string): Promise<Tool> {
  const { items } = await client.tools.list({ agent })
  const tool = items.find((one) => one.name === name)
  if (tool) return tool
  const near = nearNames(
    name,
    items.map((one) => one.name),
    1,
  )[0]
  throw new Problem('not_found', `${agent} has no tool "${name}".`, near ? `Did you mean ${near}?` : `npx longhaul tools list ${agent}`)
}

const limitText = ({ perMinute, concurrent, timeoutMs, resultCharactersMax, isOff }: ToolLimits): string =>
  [
    isOff ? 'off' : undefined,
    perMinute === undefined ? undefined : `${perMinute} a minute`,
    concurrent === undefined ? undefined : `${concurrent} at once`,
    timeoutMs === undefined ? undefined : duration(timeoutMs),
    resultCharactersMax === undefined ? undefined : `${resultCharactersMax} characters`,
  ]
    .filter(Boolean)
    .join(', ')
