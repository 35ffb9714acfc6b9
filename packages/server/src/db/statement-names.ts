/** How often a text must have come before it gets a name: what comes once or twice is not worth a plan. */
const namedFrom = 3
/** Each name is a plan in the memory of each connection. Texts beyond that are planned each time. */
const namesMax = 250
const countsMax = 2_000

/**
 * Names for the statements that come again and again. A connection parses and plans a named statement once and not at each execution, which costs more than
 * many a statement itself. PostgreSQL goes on planning by the values where that is cheaper, and plans anew when tables or their statistics change
 * (https://www.postgresql.org/docs/current/sql-prepare.html).
 */
export function openStatementNames(): (text: string) => string | undefined {
  const names = new Map<string, string>()
  const counts = new Map<string, number>()
  return (text) => {
    const known = names.get(text)
    if (known !== undefined || names.size >= namesMax) return known
    const count = (counts.get(text) ?? 0) + 1
    if (count < namedFrom) {
      if (counts.size >= countsMax) counts.clear() // Texts without end: the frequent ones are soon counted again.
      counts.set(text, count)
      return undefined
    }
    counts.delete(text)
    const name = `s${names.size + 1}`
    names.set(text, name)
    return name
  }
}
