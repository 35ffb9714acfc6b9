/** The tests in an agent's `tests/` folder. */
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { JsonValue } from '@longhaul/protocol'
import { z } from 'zod'
import { Problem } from '../problem.ts'
import { parseList } from '../yaml-list.ts'

const Reply = z.union([z.strictObject({ says: z.string() }), z.strictObject({ calls: z.array(z.tuple([z.string().min(1), JsonValue])).min(1) })])

export const AgentTest = z.strictObject({
  /** Also the name of its recording. */
  name: z
    .string()
    .regex(/^[a-z0-9][a-z0-9._-]*$/i, 'must be letters, digits, dots, hyphens, underscores')
    .max(100),
  input: JsonValue,
  /** What the model replies, turn by turn. Absent: what was recorded. */
  model: z.array(Reply).optional(),
  /** The same of subagents, by their names. */
  subagents: z.record(z.string(), z.array(Reply)).default({}),
  /** Other agents that it asks or hands over to, by their names: what their runs come to, or the folder that they are in, beside this one, and what their model replies. */
  agents: z
    .record(
      z.string(),
      z.union([z.strictObject({ answer: JsonValue }), z.strictObject({ folder: z.string().min(1).max(1_000), model: z.array(Reply).optional() })]),
    )
    .default({}),
  asker: z
    .strictObject({ name: z.string().default('tester'), regions: z.array(z.string()).min(1).optional(), personalData: z.boolean().default(true) })
    .optional(),
  /** What people decide when they are asked. */
  approve: z.boolean().default(true),
  signals: z.record(z.string(), z.array(JsonValue)).default({}),
  /** What tools answer that the server executes: those of connections, and stock tools such as `web_search`. */
  answers: z.record(z.string(), JsonValue).default({}),
  /** What commands in the sandbox print, by a part of the command. */
  commands: z.record(z.string(), z.string()).default({}),
  files: z.record(z.string(), z.string()).default({}),
  expect: z.strictObject({
    state: z.enum(['completed', 'failed', 'waiting']).default('completed'),
    /** Parts of the answer's words. */
    contains: z.array(z.string()).default([]),
    /** The output, or of an agent's answer its `output`. */
    output: JsonValue.optional(),
    /** Names of the tools that are called, in this order. */
    tools: z.array(z.string()).optional(),
    /** The code of the failure. */
    failure: z.string().optional(),
  }),
})
export type AgentTest = z.infer<typeof AgentTest>
export type Scripted = z.infer<typeof Reply>

export async function loadTests(folder: string): Promise<AgentTest[]> {
  const tests = join(folder, 'tests')
  const names = await readdir(tests).catch(() => {
    throw new Problem('not_found', `There is no folder ${tests}.`, 'Write tests/*.yaml: docs/guide/testing.md shows how.')
  })
  const files = names.filter((name) => /\.ya?ml$/.test(name)).toSorted()
  const found = (
    await Promise.all(
      files.map(async (name) =>
        parseList(AgentTest, await readFile(join(tests, name), 'utf8'), join('tests', name), 'The form of a test is in docs/guide/testing.md.'),
      ),
    )
  ).flat()
  if (found.length === 0) throw new Problem('not_found', `${tests} has no tests.`, 'Write tests/*.yaml: docs/guide/testing.md shows how.')
  const twice = found.find(({ name }, at) => found.findIndex((other) => other.name === name) !== at)
  if (twice) throw new Problem('invalid', `Two tests in ${tests} have the name ${twice.name}.`)
  return found
}
