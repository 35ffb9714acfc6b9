/** From a folder to runs that use it: upload, see that it loads, say what becomes of running runs, give it to new ones. */
import { resolve } from 'node:path'
import { type Deployment, Name, type Preview, RollbackGuard, type Source, type Version } from '@longhaul/protocol'
import { type Collected, collect } from '../code/collect.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'
import { bytes } from '../show/values.ts'
import { type Build, findBuild, nameOfBranch, reportStatus, requireBuild } from './commit-status.ts'
import { type Plan, planDeployment, planLines } from './deploy-plan.ts'
import { fieldsOf } from './previews.ts'

export type GiveOptions = {
  /** Percent of new runs. */
  canary?: number | undefined
  /** Sessions, people and keys who always get it, and who never do. */
  canarySubject?: string[] | undefined
  canaryExcept?: string[] | undefined
  guard: boolean
  /** Minutes. */
  window: number
  /** Percent. */
  failures: number
  /** Percent. */
  scoreDrop?: number | undefined
  /** How many times as long, and as dear. */
  durationRatio?: number | undefined
  costRatio?: number | undefined
  reason?: string | undefined
}
export type DeployOptions = GiveOptions & {
  agent?: string | undefined
  promote: boolean
  /** Whether the code is tried on runs under way. */
  replay: boolean
  /** True: named like the branch. */
  preview?: string | true | undefined
  keepFor?: number | undefined
  report?: boolean | undefined
}

export async function deploy(invocation: Invocation, folder: string, options: DeployOptions): Promise<number> {
  const { terminal, world } = invocation
  const build = options.report ? requireBuild(world.env) : findBuild(world.env)
  const preview = options.preview === undefined ? undefined : previewName(options.preview, build)
  terminal.status(() => 'reading the code')
  const code = await collect(resolve(world.folder, folder), options).finally(() => terminal.status(undefined))
  const tell = async (state: 'success' | 'failure', description: string) => {
    if (!options.report || !build) return
    const { url } = await invocation.client()
    const link = preview === undefined ? `${url}/agents/${code.agent}` : `${url}/chat?agent=${code.agent}&preview=${preview}`
    await reportStatus(invocation, build, { state, agent: code.agent, description, link })
  }
  try {
    const done = await bringOut(invocation, code, options, preview, build)
    print(invocation, code, done, (await invocation.client()).url)
    await tell(
      'success',
      `${done.version.version} ${done.preview ? `is the preview ${done.preview.name}` : done.deployment ? `gets ${done.deployment.share} % of new runs` : 'is loaded'}`,
    )
    return exitCodes.done
  } catch (error) {
    await tell('failure', error instanceof Error ? (error.message.split('\n')[0] ?? '') : 'It failed.')
    throw error
  }
}

type Done = { version: Version; plan: Plan; deployment: Deployment | undefined; preview: Preview | undefined }

async function bringOut(invocation: Invocation, code: Collected, options: DeployOptions, name: string | undefined, build: Build | undefined): Promise<Done> {
  const version = await upload(invocation, code)
  if (version.status === 'broken') {
    throw new Problem('invalid', `The code of ${code.agent} does not load, so nothing was deployed:\n${version.problem ?? ''}`)
  }
  const plan = await planDeployment(invocation, code.agent, version.version, options.replay ? code.files : undefined)
  if (name === undefined)
    return { version, plan, preview: undefined, deployment: options.promote ? await give(invocation, code.agent, version.version, options) : undefined }
  const source: Source = { ...(build && { commit: build.commit }), ...(build?.branch && { branch: build.branch }) }
  const client = await invocation.client()
  const preview = await client.previews.set({
    agent: code.agent,
    name,
    version: version.version,
    source,
    ...(options.keepFor !== undefined && { keepForMs: options.keepFor }),
  })
  return { version, plan, preview, deployment: undefined }
}

function previewName(given: string | true, build: Build | undefined): string {
  if (given === true && build?.branch === undefined)
    throw new Problem('invalid', 'A preview outside of GitHub Actions and GitLab CI needs a name.', 'npx longhaul deploy my-agent --preview new-words')
  const name = given === true ? nameOfBranch(build?.branch ?? '') : given
  if (!Name.safeParse(name).success) throw new Problem('invalid', `"${name}" cannot name a preview: use lower-case letters, digits and hyphens.`)
  return name
}

function print(invocation: Invocation, code: Collected, { version, plan, deployment, preview }: Done, url: string): void {
  if (invocation.isJson) return invocation.printJson({ version, plan, deployment: deployment ?? null, preview: preview ?? null })
  printFields(invocation, [
    ['agent', code.agent],
    ...(preview ? [] : [['version', `${version.version}${version.status === 'starting' ? ', still loading' : ''}`] as [string, string]]),
    ['code', `${code.files.length} files, ${bytes(code.bytes)}${code.bundled.length > 0 ? `, bundled with ${code.bundled.join(', ')}` : ''}`],
    ['plan', planLines(plan).join('\n')],
    ...(preview
      ? fieldsOf(preview)
      : ([
          ['live', deployment ? describe(deployment) : `not yet: npx longhaul agents promote ${code.agent} ${version.version}`],
          code.isMcpServer ? ['address', `${url}/mcp/${code.agent}`] : ['try', `npx longhaul ask ${code.agent} "…"`],
        ] satisfies [string, string][])),
  ])
}

/** Sends the code; the answer comes when a worker has loaded it. `expectsMore`: the next change is to be loaded quickly. */
export async function upload(invocation: Invocation, { agent, files }: Collected, { expectsMore = false } = {}): Promise<Version> {
  const client = await invocation.client()
  invocation.terminal.status(() => 'loading the code on the server')
  try {
    return await client.versions.create({ agent, files, expectsMore })
  } finally {
    invocation.terminal.status(undefined)
  }
}

/** Gives the version to new runs. Absent options mean: all of them, watched by a guard for an hour. */
export async function give(invocation: Invocation, agent: string, version: string, options: GiveOptions): Promise<Deployment> {
  const client = await invocation.client()
  const { canary, canarySubject: always = [], canaryExcept: never = [] } = options
  return client.deployments.create({
    agent,
    version,
    share: canary ?? (always.length > 0 ? 0 : 100),
    ...(always.length + never.length > 0 && { canarySubjects: { always, never } }),
    guard: options.guard
      ? RollbackGuard.parse({
          windowMs: options.window * 60_000,
          failureShareMax: options.failures / 100,
          ...(options.scoreDrop !== undefined && { scoreDropMax: options.scoreDrop / 100 }),
          ...(options.durationRatio !== undefined && { durationRatioMax: options.durationRatio }),
          ...(options.costRatio !== undefined && { costRatioMax: options.costRatio }),
        })
      : null,
    ...(options.reason !== undefined && { reason: options.reason }),
  })
}

/** A deployment in a line. */
export function describe({ state, share, canarySubjects, guard, replaced }: Deployment): string {
  const { always = [], never = [] } = canarySubjects ?? {}
  const named = [...(always.length > 0 ? [`, always for ${always.join(', ')}`] : []), ...(never.length > 0 ? [`, never for ${never.join(', ')}`] : [])].join('')
  const who = state === 'canary' ? `for ${share} % of new runs${named}` : 'for all new runs'
  const watch = guard
    ? `; taken back by itself if it fails more often${state === 'canary' ? '' : ` than ${replaced ?? 'the one before'}`} in the next ${minutes(guard.windowMs)}`
    : ''
  return who + (replaced || state === 'canary' ? watch : '')
}

const minutes = (ms: number): string => (ms % 3_600_000 === 0 ? `${ms / 3_600_000} h` : `${Math.round(ms / 60_000)} min`)
