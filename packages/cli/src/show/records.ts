/** The forms that commands which show things share: a list, and one thing with its fields. */
import type { Invocation } from '../invocation.ts'
import { layOut } from './table.ts'
import type { Column, TableValue } from './table.ts'
import { columnsOf, oneLine, padEnd, printable, wrap } from './text.ts'

type Style = 'green' | 'red' | 'yellow' | 'dim' | undefined

/** A table of things; `whenEmpty` says what to do where there are none. Whatever reads a pipe or a file gets all of it, at any width. */
export function printList({ terminal }: Invocation, columns: Column[], rows: TableValue[][], whenEmpty: string[]): void {
  const { paint, width } = terminal
  if (rows.length === 0) return terminal.print('', ...whenEmpty.map((line) => `  ${line}`), '')
  const { head, rows: lines, hidden } = layOut(columns, rows, terminal.isLive ? width - 4 : Number.MAX_SAFE_INTEGER)
  terminal.print(
    '',
    `  ${paint('dim', head)}`,
    ...lines.map((line) => `  ${paintState(paint, line)}`),
    ...(hidden.length > 0 ? [`  ${paint('dim', `left out: ${hidden.join(', ')} (--json has everything)`)}`] : []),
    '',
  )
}

const states: Record<string, Style> = {
  completed: 'green',
  ready: 'green',
  approved: 'green',
  failed: 'red',
  broken: 'red',
  denied: 'red',
  waiting: 'yellow',
  pending: 'yellow',
  starting: 'yellow',
  cancelled: 'dim',
  expired: 'dim',
  withdrawn: 'dim',
}

/** Colours the word in a line that is a state; the line's columns stay as they are. */
const paintState = (paint: (style: 'green' | 'red' | 'yellow' | 'dim', text: string) => string, line: string): string =>
  line.replace(/(?<= {2})(completed|ready|approved|failed|broken|denied|waiting|pending|starting|cancelled|expired|withdrawn)(?= |$)/, (state) => {
    const style = states[state]
    return style ? paint(style, state) : state
  })

/** Fields under each other. Absent values leave no trace; long ones are wrapped under themselves. */
export function printFields({ terminal }: Invocation, fields: [name: string, value: string | null | undefined | false][]): void {
  const { paint, width } = terminal
  const shown = fields.flatMap(([name, value]) => (value ? [[name, value] as const] : []))
  const label = Math.max(...shown.map(([name]) => columnsOf(name)))
  terminal.print(
    '',
    ...shown.flatMap(([name, value]) =>
      wrap(printable(value), width - label - 6).map((line, at) =>
        `  ${paint('dim', padEnd(at === 0 ? oneLine(name) : '', label))}  ${paintState(paint, `  ${line}`).slice(2)}`.trimEnd(),
      ),
    ),
    '',
  )
}
