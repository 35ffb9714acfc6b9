/** Writes JSON such that what is the same is written the same: the order of an object's fields, and how numbers and texts are written, make no difference. */
export function writeCanonical(value: unknown, write: (text: string) => void): void {
  if (Array.isArray(value)) {
    write('[')
    for (const item of value) {
      writeCanonical(item, write)
      write(',')
    }
    write(']')
  } else if (typeof value === 'object' && value !== null) {
    write('{')
    for (const [key, item] of Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      write(JSON.stringify(key))
      write(':')
      writeCanonical(item, write)
      write(',')
    }
    write('}')
  } else if (value !== undefined) write(JSON.stringify(value))
}
