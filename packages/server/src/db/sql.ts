/** A piece of SQL with its values apart. Pieces nest; placeholders are numbered once, at the end. */
export class Sql {
  readonly parts: readonly string[]
  readonly values: readonly unknown[]

  constructor(parts: readonly string[], values: readonly unknown[]) {
    this.parts = parts
    this.values = values
  }

  toQuery(): { text: string; values: unknown[] } {
    const values: unknown[] = []
    const write = (piece: Sql): string =>
      piece.parts.reduce((text, part, i) => {
        const value = piece.values[i - 1]
        return text + (value instanceof Sql ? write(value) : `$${values.push(value)}`) + part
      })
    const text = write(this)
    return { text, values }
  }
}

/** Whatever stands in `${}` becomes a parameter, unless it is a piece of SQL itself. So a value can never be read as SQL. */
export const sql = (parts: TemplateStringsArray, ...values: unknown[]): Sql => new Sql(parts, values)

/** A table, column, role or channel by a name that we wrote ourselves. Anything but a plain name is refused. */
export function identifier(name: string): Sql {
  if (!/^[a-z_][a-z0-9_]{0,62}$/i.test(name)) throw new Error(`${JSON.stringify(name.slice(0, 80))} is not a plain SQL name.`)
  return new Sql([`"${name}"`], [])
}

/** Pieces one after the other: `join([sql`a = 1`, sql`b = 2`], sql` and `)`. */
export function join(pieces: readonly Sql[], separator: Sql = sql`, `): Sql {
  const values = pieces.flatMap((piece, i) => (i === 0 ? [piece] : [separator, piece]))
  return new Sql(
    Array.from({ length: values.length + 1 }, () => ''),
    values,
  )
}

/** The database's clock at this very moment: unlike `now()` it goes on within a transaction. */
export const now: Sql = sql`clock_timestamp()`
