/** The cases of an agent's `evals/` folder, and the truth that they are judged by. */
import { Name } from '@longhaul/protocol'
import { readFile, readdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import { Problem } from '../problem.ts'
import { parseList } from '../yaml-list.ts'

const Access = z.strictObject({ regions: z.array(z.string().min(1)).min(1).optional(), personalData: z.boolean().optional() })
export type Access = z.infer<typeof Access>

const Expectation = z.discriminatedUnion('answerable', [
  z
    .strictObject({
      answerable: z.literal(true),
      /** Run by the folder's own `truth.ts`, never by the agent. For a case with `access` the limit stands in the SQL. */
      truth_sql: z.string().min(1).optional(),
      /** What an answer must do to pass, in words. A model judges it: `--judge`. With `truth_sql` both must hold. */
      rubric: z.string().min(1).max(10_000).optional(),
      /** How far a number may be off, relative to the truth. */
      tolerance: z.number().min(0).max(1).default(0.005),
      /** Rows must come in the truth's order. */
      ordered: z.boolean().default(false),
    })
    .refine(({ truth_sql, rubric }) => truth_sql !== undefined || rubric !== undefined, { path: ['truth_sql'], error: 'give truth_sql, rubric or both' }),
  z.strictObject({ answerable: z.literal(false) }),
])

export const Case = z.strictObject({
  id: z.string().regex(/^[a-z0-9][a-z0-9._-]*$/i, 'must be letters, digits, dots, hyphens, underscores'),
  agent: Name.optional(),
  question: z.string().min(1),
  language: z.enum(['en', 'zh']),
  access: Access.optional(),
  expect: Expectation,
  tags: z.array(z.string().min(1)).default([]),
})
export type Case = z.infer<typeof Case>

const Truth = z.object({ columns: z.array(z.string()), rows: z.array(z.array(z.union([z.string(), z.number(), z.null()]))) })
export type Truth = z.infer<typeof Truth>

export async function loadCases(folder: string): Promise<Case[]> {
  const evals = join(folder, 'evals')
  const names = await readdir(evals).catch(() => {
    throw new Problem('not_found', `There is no folder ${evals}.`, 'Give the folder of an agent that has evals/*.yaml, such as examples/analyst.')
  })
  const files = names.filter((name) => /\.ya?ml$/.test(name)).sort()
  if (files.length === 0) throw new Problem('not_found', `${evals} has no .yaml file.`)
  const cases = (await Promise.all(files.map(async (name) => parseCases(await readFile(join(evals, name), 'utf8'), join('evals', name))))).flat()
  const seen = new Set<string>()
  for (const { id } of cases) {
    if (seen.has(id)) throw new Problem('invalid', `Two cases in ${evals} have the id ${id}.`)
    seen.add(id)
  }
  return cases
}

export const parseCases = (text: string, file: string): Case[] => parseList(Case, text, file, 'The form of a case is in docs/guide/cli.md.')

/** One statement at a time, each once: the module behind it may hold a single connection, and cases share statements. */
export async function loadTruth(folder: string): Promise<(sql: string) => Promise<Truth>> {
  const path = join(folder, 'evals', 'truth.ts')
  const module: unknown = await import(pathToFileURL(path).href).catch((error: unknown) => {
    throw new Problem(
      'invalid',
      `${path} does not load: ${error instanceof Error ? error.message : error}`,
      'It must export: async function truth(sql: string): Promise<{ columns, rows }>',
    )
  })
  const run = typeof module === 'object' && module !== null && 'truth' in module ? module.truth : undefined
  if (typeof run !== 'function') throw new Problem('invalid', `${path} does not export a function named truth.`)
  const known = new Map<string, Promise<Truth>>()
  let last: Promise<unknown> = Promise.resolve()
  return (sql) => {
    const before = known.get(sql)
    if (before) return before
    const truth = last.then(async () => Truth.parse(await run(sql)))
    known.set(sql, truth)
    last = truth.catch(() => {}) // Whoever asked for it hears of the failure.
    return truth
  }
}

export const agentOf = (folder: string): string => basename(folder)
