import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'

/** The folder as it came with the agent. The copy in a sandbox is the model's to read, and nobody's to trust. */
export const semanticFolder = join(import.meta.dirname, '../agent/sandbox/workspace/semantic')

const Identifier = z.string().regex(/^[a-z][a-z0-9_]*$/)
const Column = z.object({
  name: Identifier,
  type: z.string().regex(/^[A-Z]+(\(\d+,\d+\))?$/),
  personal: z.boolean().default(false),
  values: z.array(z.object({ value: z.string(), label: z.object({ en: z.string(), zh: z.string() }) })).optional(),
})
const Entity = z.object({
  table: Identifier,
  access: z.object({ by: z.enum(['region', 'account', 'shared']) }),
  columns: z.array(Column).min(1),
})
export type Entity = z.infer<typeof Entity>

/** What the second layer says of the tables: the warehouse is made to it, and what it does not declare is not there. Read once. */
export const readEntities = (): readonly Entity[] => (entities ??= loadEntities())
let entities: readonly Entity[] | undefined

function loadEntities(): Entity[] {
  const folder = join(semanticFolder, 'entities')
  return readdirSync(folder)
    .sort()
    .map((file) => Entity.parse(parse(readFileSync(join(folder, file), 'utf8'))))
}

/** SQL for a table's columns, those left out that are not for everybody. */
export const columnsOf = (entity: Entity, personalData: boolean) => entity.columns.filter((column) => personalData || !column.personal)
