import { createHash } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { JournalEntry, Run, RunEvent } from '@longhaul/protocol'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import { runIdFrom } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { counted } from '../show/values.ts'

/** The first line of an exported run. The others are its journal, oldest event first. */
const Head = z.object({ format: z.literal('longhaul-run'), version: z.literal(1), run: Run })
type Exported = { run: Run; journal: JournalEntry[] }

export async function exportRun(invocation: Invocation, given: string, { out }: { out?: string }): Promise<number> {
  const client = await invocation.client()
  const runId = await runIdFrom(client, given)
  const head: z.input<typeof Head> = { format: 'longhaul-run', version: 1, run: await client.runs.get({ runId }) }
  const lines: unknown[] = [head]
  for (let after: number | null = -1; after !== null;) {
    const page: { items: JournalEntry[]; next: number | null } = await client.runs.export({ runId, after, limit: 500 })
    lines.push(...page.items)
    after = page.next
  }
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

export async function replay(invocation: Invocation, file: string, folder: string): Promise<number> {
  const exported = await read(invocation, file)
  const problem = whyNotWhole(exported)
  if (problem !== undefined) throw new Problem('invalid', `${file} is not whole: ${problem}`)
  const { run, journal } = exported
  const events = journal.map(({ seq, at, type, op, data }) => RunEvent.parse({ seq, at, type, ...(op !== null && { op }), data: JSON.parse(data) }))
  const { replayRun } = await import('@longhaul/sdk/testing')
  const replayed = await replayRun(resolve(invocation.world.folder, folder), { ...run, events })
  if (invocation.isJson) invocation.printJson({ runId: run.id, ...replayed })
  else if (replayed.outcome === 'same') invocation.terminal.print(`  The code does what run ${run.id} did: ${counted(replayed.resultCount, 'result')} matched.`)
  else if (replayed.outcome === 'diverged')
    invocation.terminal.print(`  The code diverges at ${replayed.op}.`, `  recorded: ${replayed.recorded}`, `  asked:    ${replayed.asked}`)
  else if (replayed.outcome === 'different')
    invocation.terminal.print(
      '  The code asks for the same and ends otherwise.',
      `  recorded: ${JSON.stringify(replayed.recorded)}`,
      `  now:      ${JSON.stringify(replayed.now)}`,
    )
  else invocation.terminal.print('  The code came to no end, and asked for nothing more.')
  return replayed.outcome === 'same' ? exitCodes.done : exitCodes.failed
}

/** Undefined when no event was changed, dropped or moved, and none is missing at the end of a run that has ended. */
function whyNotWhole({ run, journal }: Exported): string | undefined {
  let previous = ''
  for (const [i, { seq, type, op, data, hash }] of journal.entries()) {
    if (seq !== i) return `event ${seq} stands where ${i} should.`
    const expected = createHash('sha256')
      .update(`${previous}\n${run.id} ${seq} ${type} ${op ?? ''}\n${data}`)
      .digest('hex')
    if (hash !== expected) return `the chain breaks at event ${seq} (${type}).`
    previous = hash
  }
  if (journal.length === 0) return 'it has no events.'
  const isEnded = run.state === 'completed' || run.state === 'failed' || run.state === 'cancelled'
  if (isEnded && journal.at(-1)?.type !== `run.${run.state}`) return `the run is ${run.state}, and its last event is ${journal.at(-1)?.type}.`
  return undefined
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
