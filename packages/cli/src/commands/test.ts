/** An agent's own tests: without a server, a network or a model, and with its worker killed at every moment. */
import { writeFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { counted, duration } from '../show/values.ts'
import { type Tested, junit } from '../testing/junit.ts'
import { recorder, replayed } from '../testing/recordings.ts'
import { type Verdict, runTest } from '../testing/run-test.ts'
import { type AgentTest, loadTests } from '../testing/tests.ts'

export type TestCommandOptions = { only?: string[]; record?: boolean; model: string; crashes: boolean; junit?: string }

export async function test(invocation: Invocation, given: string, options: TestCommandOptions): Promise<number> {
  const { terminal, isJson, printJson, world } = invocation
  const folder = resolve(world.folder, given)
  const tests = chosen(await loadTests(folder), options.only)
  const testing = await import('@longhaul/sdk/testing')
  const agent = await testing.loadAgent(folder).catch((error: unknown) => {
    throw new Problem('invalid', `The agent does not load:\n${error instanceof Error ? error.message : String(error)}`)
  })
  if (agent.manifest.shape === 'custom')
    throw new Problem('invalid', 'A custom agent is a program of its own: its tests are those of its language.', 'npx longhaul eval asks it on a server.')
  const results: (Tested & Verdict)[] = []
  for (const one of tests) {
    if (world.interrupted.aborted) return exitCodes.interrupted
    const from = performance.now()
    const verdict = await tried(invocation, folder, one, options, (model, crashes) => runTest(testing, agent, one, { model, crashes }))
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

/** A test without a script is recorded where that is asked for, and replayed then like any other time. */
async function tried(
  invocation: Invocation,
  folder: string,
  one: AgentTest,
  { record, model, crashes }: TestCommandOptions,
  run: (model: Parameters<typeof runTest>[3]['model'], crashes: boolean) => Promise<Verdict>,
): Promise<Verdict> {
  if (one.model) return run(undefined, crashes)
  if (record) {
    const recording = recorder(await invocation.credentials(), model, invocation.world.interrupted)
    const verdict = await run(recording.model, false)
    await recording.save(folder, one.name)
    if (!verdict.isPassed) return verdict
  }
  return run(await replayed(folder, one.name), crashes)
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
