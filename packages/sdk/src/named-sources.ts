/** Stock tools that read what an agent names: databases and calendars. */
import type { ToolDefinition } from '@longhaul/protocol'

type Named = { databases: Record<string, unknown>; calendars: Record<string, unknown> }

const readers = {
  sql: { from: 'databases', lack: "no database that it reads: add databases: { shop: { secret: 'shop-database' } }." },
  free_time: { from: 'calendars', lack: "no calendar that it reads: add calendars: { ada: { secret: 'calendar-of-ada' } }." },
} as const

/** As the model gets it, with the names of what it reads; as it is for every other tool. A text says what is missing. */
export function withSources(definition: ToolDefinition, named: Named): ToolDefinition | string {
  const { name, description } = definition
  const reader = name === 'sql' || name === 'free_time' ? readers[name] : undefined
  if (!reader) return definition
  const names = Object.keys(named[reader.from])
  if (names.length === 0) return `has the stock tool ${name} and ${reader.lack}`
  return { ...definition, description: `${description} There are: ${names.join(', ')}.`.slice(0, 4_000) }
}
