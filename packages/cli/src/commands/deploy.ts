/** From a folder to runs that use it: upload, see that it loads, say what becomes of running runs, give it to new ones. */
import { resolve } from 'node:path'
import { type Deployment, RollbackGuard, type Version } from '@longhaul/protocol'
import { type Collected, collect } from '../code/collect.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'
import { bytes } from '../show/values.ts'

export type GiveOptions = {
  /** Percent of new runs. */
  canary?: number | undefined
  guard: boolean
  /** Minutes. */
  window: number
  /** Percent. */
  failures: number
  reason?: string | undefined
}
export type DeployOptions = GiveOptions & { agent?: string | undefined; promote: boolean }

export async function deploy(invocation: Invocation, folder: string, options: DeployOptions): Promise<number> {
  const { isJson, printJson, terminal, world } = invocation
  terminal.status(() => 'reading the code')
  const code = await collect(resolve(world.folder, folder), options).finally(() => terminal.status(undefined))
  const version = await upload(invocation, code)
  if (version.status === 'broken') {
    throw new Problem('invalid', `The code of ${code.agent} does not load, so nothing was deployed:\n${version.problem ?? ''}`)
  }
  const versions = await listKnown(invocation, code.agent)
  const deployment = options.promote ? await give(invocation, code.agent, version.version, options) : undefined
  if (isJson) printJson({ version, deployment: deployment ?? null })
  else {
    printFields(invocation, [
      ['agent', code.agent],
      ['version', `${version.version}${version.status === 'starting' ? ', still loading' : ''}`],
      ['code', `${code.files.length} files, ${bytes(code.bytes)}${code.bundled.length > 0 ? `, bundled with ${code.bundled.join(', ')}` : ''}`],
      ['plan', planOf(versions, version.version)],
      ['live', deployment ? describe(deployment) : `not yet: npx longhaul agents promote ${code.agent} ${version.version}`],
      ['try', `npx longhaul ask ${code.agent} "…"`],
    ])
  }
  return exitCodes.done
}

/** Sends the code; the answer comes when a worker has loaded it. */
export async function upload(invocation: Invocation, { agent, files }: Collected): Promise<Version> {
  const client = await invocation.client()
  invocation.terminal.status(() => 'loading the code on the server')
  try {
    return await client.versions.create({ agent, files })
  } finally {
    invocation.terminal.status(undefined)
  }
}

/** Gives the version to new runs. Absent options mean: all of them, watched by a guard for an hour. */
export async function give(invocation: Invocation, agent: string, version: string, options: GiveOptions): Promise<Deployment> {
  const client = await invocation.client()
  return client.deployments.create({
    agent,
    version,
    share: options.canary ?? 100,
    guard: options.guard ? RollbackGuard.parse({ windowMs: options.window * 60_000, failureShareMax: options.failures / 100 }) : null,
    ...(options.reason !== undefined && { reason: options.reason }),
  })
}

/** Versions before this deployment. None for an agent that is new. */
const listKnown = async (invocation: Invocation, agent: string): Promise<Version[]> =>
  (await (await invocation.client()).versions.list({ agent, limit: 200 })).items

/** What becomes of runs that are under way: they stay where they are. */
function planOf(versions: Version[], next: string): string {
  const pinned = versions.filter(({ version, activeRunCount }) => version !== next && activeRunCount > 0)
  if (pinned.length === 0) return 'no run is under way on another version'
  return pinned.map(({ version, activeRunCount }) => `${activeRunCount} ${activeRunCount === 1 ? 'run stays' : 'runs stay'} on ${version}`).join('\n')
}

/** A deployment in a line. */
export function describe({ state, share, guard, replaced }: Deployment): string {
  const who = state === 'canary' ? `for ${share} % of new runs` : 'for all new runs'
  const watch = guard
    ? `; taken back by itself if it fails more often${state === 'canary' ? '' : ` than ${replaced ?? 'the one before'}`} in the next ${minutes(guard.windowMs)}`
    : ''
  return who + (replaced || state === 'canary' ? watch : '')
}

const minutes = (ms: number): string => (ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${Math.round(ms / 60_000)} min`)
