/** Lists that people write in YAML. Every fault is named with its file and line. */
import { LineCounter, parseDocument } from 'yaml'
import { z } from 'zod'
import { Problem } from './problem.ts'

export function parseList<Schema extends z.ZodType>(schema: Schema, text: string, file: string, remedy: string): z.output<Schema>[] {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines })
  const [fault] = document.errors
  if (fault) throw new Problem('invalid', `${file}:${fault.linePos?.[0].line ?? 1} is not YAML: ${fault.message.split('\n')[0]}`)
  const parsed = z.array(schema).safeParse(document.toJS() ?? [])
  if (parsed.success) return parsed.data
  const faults = parsed.error.issues.slice(0, 5).map(({ path, message }) => {
    return `${file}:${lineOf(document, lines, path)} ${path.join('.')}: ${message}`
  })
  throw new Problem('invalid', faults.join('\n'), remedy)
}

/** The line of a value, or of what it is missing from. */
function lineOf(document: ReturnType<typeof parseDocument>, lines: LineCounter, path: PropertyKey[]): number {
  for (let length = path.length; length > 0; length--) {
    const node: unknown = document.getIn(path.slice(0, length), true)
    if (typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)) return lines.linePos(Number(node.range[0])).line
  }
  return 1
}
