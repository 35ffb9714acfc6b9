import { hash } from 'node:crypto'
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { JournalEntry, Run, RunEvent, whyNotChained } from '@longhaul/protocol'
import type { Client } from '@longhaul/sdk/client'
import type { LoadedAgent, Replayed } from '@longhaul/sdk/testing'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { runIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { counted } from '../show/values.ts'

/** The first line of an exported run. The others are its journal, oldest event first. */
const Head = z.object({ format: z.literal('longhaul-run'), version: z.literal(1), run: Run })
export type Exported = { run: Run; journal: JournalEntry[] }

/** A run and its journal so far. */
export async function fetchRun(client: Client, runId: string): Promise<Exported> {
  const run = await client.runs.get({ runId })
  const journal: JournalEntry[] = []
  for (let after: number | null = -1; after !== null;) {
    const page: { items: JournalEntry[]; next: number | null } = await client.runs.export({ runId, after, limit: 500 })
    journal.push(...page.items)
    after = page.next
  }
  return { run, journal }
}

export async function exportRun(invocation: Invocation, given: string, { out }: { out?: string }): Promise<number> {
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const { run, journal } = await fetchRun(client, runId)
  const head: z.input<typeof Head> = { format: 'longhaul-run', version: 1, run }
  const lines: unknown[] = [head, ...journal]
  if (out === undefined) for (const line of lines) invocation.printJson(line)
  else {
    await writeFile(resolve(invocation.world.folder, out), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
    if (invocation.isJson) invocation.printJson({ runId, eventCount: lines.length - 1, file: out })
    else invocation.terminal.print(`  Run ${runId} with ${counted(lines.length - 1, 'event')} is in ${out}.`)
  }
  return exitCodes.done
}

export async function verifyRun(invocation: Invocation, file: string): Promise<number> {
  const exported = await read(invocation, file)
  const problem = whyNotWhole(exported)
  const { run, journal } = exported
  if (invocation.isJson) invocation.printJson({ runId: run.id, eventCount: journal.length, isWhole: problem === undefined, problem: problem ?? null })
  else
    invocation.terminal.print(
      problem === undefined ? `  Run ${run.id} is whole: ${counted(journal.length, 'event')}, each chained to the one before.` : `  Not whole: ${problem}`,
    )
  return problem === undefined ? exitCodes.done : exitCodes.failed
}

export async function importRun(invocation: Invocation, file: string, { namespace }: { namespace?: string }): Promise<number> {
  const { run, journal } = await readWhole(invocation, file)
  const client = await invocation.client()
  const { agent, version, id: exportedAs } = run
  const imported = await client.runs.import({ agent, version, exportedAs, journal, ...(namespace !== undefined && { namespace }) })
  if (invocation.isJson) invocation.printJson(imported)
  else
    invocation.terminal.print(
      `  Run ${exportedAs} is here as ${imported.id}, to be read: ${counted(journal.length, 'event')}.`,
      `  npx longhaul runs get ${shortId(imported.id)}`,
    )
  return exitCodes.done
}

export async function replay(invocation: Invocation, file: string, folder: string): Promise<number> {
  const exported = await readWhole(invocation, file)
  const replayed = await replayIn(invocation, exported, folder)
  if (invocation.isJson) invocation.printJson({ runId: exported.run.id, ...replayed })
  else invocation.terminal.print(...told(exported.run.id, replayed).map((line) => `  ${line}`))
  return replayed.outcome === 'same' ? exitCodes.done : exitCodes.failed
}

/** Every file of the folder, one after the other; a file that is no whole run fails like one that the code does not match. */
export async function testReplay(invocation: Invocation, histories: string, folder: string): Promise<number> {
  const { terminal, world } = invocation
  const names = await readdir(resolve(world.folder, histories)).catch((error: NodeJS.ErrnoException) => {
    throw new Problem('invalid', `${histories} cannot be read: ${error.code}.`)
  })
  const files = names.filter((name) => name.endsWith('.jsonl')).toSorted()
  if (files.length === 0)
    throw new Problem('invalid', `No exported runs (*.jsonl) are in ${histories}.`, `npx longhaul runs export <run> --out ${join(histories, 'run.jsonl')}`)
  let failedCount = 0
  for (const file of files) {
    let result: Replayed | { outcome: 'unreadable'; problem: string; runId?: never }
    let runId = ''
    try {
      const exported = await readWhole(invocation, join(histories, file))
      runId = exported.run.id
      result = await replayIn(invocation, exported, folder)
    } catch (error) {
      if (!(error instanceof Problem)) throw error
      result = { outcome: 'unreadable', problem: error.message }
    }
    if (result.outcome !== 'same') failedCount++
    if (invocation.isJson) invocation.printJson({ file, ...(runId && { runId }), ...result })
    else {
      const [first = '', ...rest] = result.outcome === 'unreadable' ? [result.problem] : told(runId, result)
      terminal.print(`  ${result.outcome === 'same' ? 'ok    ' : 'FAILED'} ${file}: ${first}`, ...rest.map((line) => `         ${line}`))
    }
  }
  if (!invocation.isJson) terminal.print('', `  ${counted(files.length, 'run')}, ${failedCount === 0 ? 'all as recorded' : `${failedCount} otherwise`}.`)
  return failedCount === 0 ? exitCodes.done : exitCodes.failed
}

/** Given a folder it is loaded for this run alone. */
export async function replayIn({ world }: Invocation, { run, journal }: Exported, agent: string | LoadedAgent, limitMs?: number): Promise<Replayed> {
  const events = journal.map(({ seq, at, type, op, data }) => RunEvent.parse({ seq, at, type, ...(op !== null && { op }), data: JSON.parse(data) }))
  const { replayRun } = await import('@longhaul/sdk/testing')
  return replayRun(typeof agent === 'string' ? resolve(world.folder, agent) : agent, { ...run, events }, limitMs === undefined ? {} : { limitMs })
}

function told(runId: string, replayed: Replayed): string[] {
  switch (replayed.outcome) {
    case 'same':
      return [`The code does what run ${runId} did: ${counted(replayed.resultCount, 'result')} matched.`]
    case 'diverged':
      return [`The code diverges at ${replayed.op}.`, `recorded: ${replayed.recorded}`, `asked:    ${replayed.asked}`]
    case 'different':
      return ['The code asks for the same and ends otherwise.', `recorded: ${JSON.stringify(replayed.recorded)}`, `now:      ${JSON.stringify(replayed.now)}`]
    case 'stuck':
      return ['The code came to no end, and asked for nothing more.']
  }
}

/** Undefined when no event was changed, dropped or moved, and none is missing at the end of a run that has ended. */
function whyNotWhole({ run, journal }: Exported): string | undefined {
  const problem = whyNotChained((text) => hash('sha256', text, 'hex'), run.id, journal)
  if (problem) return problem
  const isEnded = run.state === 'completed' || run.state === 'failed' || run.state === 'cancelled'
  if (isEnded && journal.at(-1)?.type !== `run.${run.state}`) return `the run is ${run.state}, and its last event is ${journal.at(-1)?.type}.`
  return undefined
}

async function readWhole(invocation: Invocation, file: string): Promise<Exported> {
  const exported = await read(invocation, file)
  const problem = whyNotWhole(exported)
  if (problem !== undefined) throw new Problem('invalid', `${file} is not whole: ${problem}`)
  return exported
}

async function read({ world }: Invocation, file: string): Promise<Exported> {
  const text = await readFile(resolve(world.folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('invalid', `${file} cannot be read: ${error.code}.`)
  })
  try {
    const [head, ...rest] = text
      .split('\n')
      .filter(Boolean)
      .map((line): unknown => JSON.parse(line))
    return { run: Head.parse(head).run, journal: rest.map((line) => JournalEntry.parse(line)) }
  } catch {
    throw new Problem('invalid', `${file} is not an exported run.`, 'npx longhaul runs export <run> --out run.jsonl') // Which line is wrong in it helps nobody.
  }
}
