/** What agents remember of those who ask them, for longer than a session: read and erased by its subject. */
import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Name } from './values.ts'

/** `fact`: what holds until it is replaced. `episode`: what happened; the oldest fall out. */
export const memoryKinds = ['fact', 'episode'] as const
export const memoryTextMax = 4_000
export const MemoryName = z
  .string()
  .min(1)
  .max(100)
  .regex(/^[^\p{C}]+$/u, 'must be printable')

export const Memory = z.object({
  id: z.uuid(),
  agent: z.string(),
  kind: z.enum(memoryKinds),
  name: z.string().nullable(),
  text: z.string(),
  /** Whose words the run had read that remembered it. A run that recalls it is labelled so, too. */
  labels: z.array(z.string()),
  runId: z.uuid(),
  createdAt: z.iso.datetime(),
  recalledAt: z.iso.datetime().nullable(),
})
export type Memory = z.infer<typeof Memory>

export const listMemories = operation({
  id: 'memory.list',
  summary: 'What agents remember of you, the newest first.',
  http: ['GET', '/v1/memories'],
  permission: 'runs:read',
  input: z.strictObject({ agent: Name.optional(), ...PageInput }),
  output: pageOf(Memory),
})
export const getMemory = operation({
  id: 'memory.get',
  summary: 'One thing that an agent remembers of you. That of somebody else is `not_found`.',
  http: ['GET', '/v1/memories/{memoryId}'],
  permission: 'runs:read',
  input: z.strictObject({ memoryId: z.uuid() }),
  output: Memory,
})
export const eraseMemory = operation({
  id: 'memory.erase',
  summary: 'Erase one thing that an agent remembers of you.',
  http: ['DELETE', '/v1/memories/{memoryId}'],
  permission: 'runs:write',
  input: z.strictObject({ memoryId: z.uuid() }),
  output: z.object({ id: z.uuid() }),
})
export const eraseMemories = operation({
  id: 'memory.eraseAll',
  summary: 'Erase all that agents, or one of them, remember of you. Whoever manages keys can name another key, also one that is gone.',
  http: ['POST', '/v1/memories/erase'],
  permission: 'runs:write',
  input: z.strictObject({ agent: Name.optional(), subject: z.string().min(1).max(64).optional() }),
  output: z.object({ count: z.number().int() }),
})
export const memoryOperations = [listMemories, getMemory, eraseMemory, eraseMemories]
