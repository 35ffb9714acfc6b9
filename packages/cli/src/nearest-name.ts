/** The names that somebody may have meant, best first: few letters changed, or one inside the other. */
export function nearNames(given: string, names: readonly string[], count = 3): string[] {
  const wanted = given.toLowerCase()
  return names
    .map((name) => ({ name, away: name.includes(wanted) || wanted.includes(name) ? 0.5 : editsBetween(wanted, name.toLowerCase()) }))
    .filter(({ name, away }) => away <= Math.max(2, Math.floor(Math.max(name.length, wanted.length) / 3)))
    .sort((a, b) => a.away - b.away || a.name.localeCompare(b.name))
    .slice(0, count)
    .map(({ name }) => name)
}

/** Letters to insert, delete, replace, or swap with a neighbour. */
export function editsBetween(a: string, b: string): number {
  let [before, last, row]: number[][] = [[], [], Array.from({ length: b.length + 1 }, (_, at) => at)]
  const at = (line: number[] | undefined, index: number) => line?.[index] ?? Infinity
  for (let i = 1; i <= a.length; i++) {
    ;[before, last, row] = [last, row, [i]]
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1] ? 0 : 1
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1] ? at(before, j - 2) + 1 : Infinity
      row[j] = Math.min(at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + same, swapped)
    }
  }
  return at(row, b.length)
}
