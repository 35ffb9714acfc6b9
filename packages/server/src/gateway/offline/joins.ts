// How one gets from a table to a column of another: along the joins that the entities list, always towards the one side.
import type { Layer } from './layer.ts'

type Step = { alias: string; clause: string }

const hopsMax = 3

/** The join clauses that bring every alias into a query of `table`, each once and in an order that works. */
export function joinClauses(layer: Layer, table: string, aliases: readonly string[]): string[] {
  const clauses: string[] = []
  for (const alias of aliases) {
    for (const step of pathTo(layer, table, alias) ?? []) if (!clauses.includes(step.clause)) clauses.push(step.clause)
  }
  return clauses
}

export const canReach = (layer: Layer, table: string, alias: string): boolean => pathTo(layer, table, alias) !== undefined

/** The shortest way, breadth first; of two equally short ones, the one that the entity lists first. */
function pathTo(layer: Layer, table: string, alias: string): Step[] | undefined {
  let ways: { at: string; steps: Step[] }[] = [{ at: table, steps: [] }]
  if (alias === table) return []
  for (let hop = 0; hop < hopsMax; hop++) {
    const next: typeof ways = []
    for (const way of ways) {
      // Past an alias the entity's own conditions no longer name it, so nothing lies behind one.
      if (way.steps.at(-1)?.clause.includes(' as ')) continue
      for (const join of layer.entities.get(way.at)?.joins ?? []) {
        const name = join.as ?? join.to
        const step = { alias: name, clause: `left join ${join.to}${join.as ? ` as ${join.as}` : ''} on ${join.on}` }
        if (name === alias) return [...way.steps, step]
        next.push({ at: join.to, steps: [...way.steps, step] })
      }
    }
    ways = next
  }
  return undefined
}
