/** An agent's own tests: without a server, a network or a model, and with its worker killed at every moment. */
import { writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import type { LoadedAgent } from '@longhaul/sdk/testing'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { counted, duration } from '../show/values.ts'
import { type Tested, junit } from '../testing/junit.ts'
import { recorder, replayed } from '../testing/recordings.ts'
import { type Cast, type Verdict, isScripted, runTest } from '../testing/run-test.ts'
import { type AgentTest, loadTests } from '../testing/tests.ts'

export type TestCommandOptions = { only?: string[]; record?: boolean; model: string; crashes: boolean; junit?: string }

export async function test(invocation: Invocation, given: string, options: TestCommandOptions): Promise<number> {
  const { terminal, isJson, printJson, world } = invocation
  const folder = resolve(world.folder, given)
  const tests = chosen(await loadTests(folder), options.only)
  const testing = await import('@longhaul/sdk/testing')
  const load = opener(testing)
  const agent = await load(folder)
  const results: (Tested & Verdict)[] = []
  for (const one of tests) {
    if (world.interrupted.aborted) return exitCodes.interrupted
    const from = performance.now()
    const cast = { agent, others: await othersOf(one, folder, load) }
    const verdict = await tried(invocation, { folder, test: one, cast }, options, (recorded, crashes) => runTest(testing, cast, one, { recorded, crashes }))
    const result = { name: one.name, ...verdict, durationMs: Math.round(performance.now() - from) }
    results.push(result)
    if (isJson) printJson({ type: 'test', ...result })
    else printResult(invocation, result)
  }
  if (options.junit !== undefined) await writeFile(resolve(world.folder, options.junit), junit(basename(folder), results))
  const failedCount = results.filter(({ isPassed }) => !isPassed).length
  const crashCount = results.reduce((sum, result) => sum + result.crashCount, 0)
  if (isJson) printJson({ type: 'tests', count: results.length, failedCount, crashCount, isOk: failedCount === 0 })
  else
    terminal.print(
      '',
      `  ${counted(results.length, 'test')}, ${failedCount === 0 ? 'all passed' : `${failedCount} failed`}; ${counted(crashCount, 'crash', 'crashes')}.`,
    )
  return failedCount === 0 ? exitCodes.done : exitCodes.failed
}

type Testing = typeof import('@longhaul/sdk/testing')
type Load = (folder: string) => Promise<LoadedAgent>

/** Loads each folder once. */
function opener({ loadAgent }: Testing): Load {
  const loaded = new Map<string, Promise<LoadedAgent>>()
  const load = async (folder: string) => {
    const agent = await loadAgent(folder).catch((error: unknown) => {
      throw new Problem('invalid', `The agent in ${folder} does not load:\n${error instanceof Error ? error.message : String(error)}`)
    })
    if (agent.manifest.shape === 'custom')
      throw new Problem('invalid', 'A custom agent is a program of its own: its tests are those of its language.', 'npx longhaul eval asks it on a server.')
    return agent
  }
  return (folder) => {
    const agent = loaded.get(folder) ?? load(folder)
    loaded.set(folder, agent)
    return agent
  }
}

async function othersOf({ agents }: AgentTest, folder: string, load: Load): Promise<Cast['others']> {
  const others = new Map<string, LoadedAgent>()
  for (const [name, other] of Object.entries(agents)) if ('folder' in other) others.set(name, await load(resolve(folder, other.folder)))
  return others
}

/** What has no script is recorded where that is asked for, and replayed then like any other time. */
async function tried(
  invocation: Invocation,
  { folder, test, cast }: { folder: string; test: AgentTest; cast: Cast },
  { record, model, crashes }: TestCommandOptions,
  run: (recorded: Parameters<typeof runTest>[3]['recorded'], crashes: boolean) => Promise<Verdict>,
): Promise<Verdict> {
  if (record && !isScripted(test, cast)) {
    const recording = recorder(await invocation.credentials(), model, invocation.world.interrupted)
    const verdict = await run(recording.model, false)
    await recording.save(folder, test.name)
    if (!verdict.isPassed) return verdict
  }
  return run(await replayed(folder, test.name), crashes)
}

function chosen(tests: AgentTest[], only: string[] | undefined): AgentTest[] {
  if (!only) return tests
  const found = tests.filter(({ name }) => only.some((text) => name.includes(text)))
  if (found.length === 0)
    throw new Problem('not_found', `No test has ${only.join(' or ')} in its name.`, `There are: ${tests.map(({ name }) => name).join(', ')}`)
  return found
}

function printResult({ terminal }: Invocation, { name, isPassed, problems, crashCount, durationMs }: Tested & Verdict): void {
  const mark = isPassed ? terminal.paint('green', '✓') : terminal.paint('red', '✗')
  terminal.print(`  ${mark} ${name}  ${terminal.paint('dim', `${counted(crashCount, 'crash', 'crashes')} · ${duration(durationMs)}`)}`)
  for (const line of problems) terminal.print(`      ${line}`)
}
