import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

/** Why a module did not load, with the place where there is one. */
export function describeLoadError(error: unknown, path: string): string {
  if (!(error instanceof Error)) return `threw while it was loaded: ${String(error)}`
  if (error.name === 'SyntaxError') return `does not parse: ${error.message}\n${place(error, path)}`.trimEnd()
  const code = 'code' in error ? error.code : undefined
  if (code === 'ERR_MODULE_NOT_FOUND') return `imports what is not there: ${error.message}`
  return `threw while it was loaded: ${error.message}\n${ownFrames(error.stack)}`.trimEnd()
}

/**
 * Node shows the place above the stack when it cannot strip the types. For faults that only the engine sees it keeps the
 * place to itself, so the module is checked once more by a process that prints it. Empty when another module is at fault.
 */
function place(error: Error, path: string): string {
  const shown = caretLines(error.stack ?? '')
  if (shown) return shown
  const source = readFileSync(path, 'utf8')
  // Stripping puts blanks where types were, so that lines and columns stay.
  const input = /\.m?ts$/.test(path) ? stripTypeScriptTypes(source) : source
  const { stderr } = spawnSync(process.execPath, ['--check', '--input-type=module', '-'], { input, encoding: 'utf8', timeout: 10_000 })
  return caretLines(stderr ?? '').replace('[stdin]', path)
}

/** The lines above the message, when they show a place: `file:line`, the line, often a caret. */
function caretLines(text: string): string {
  const before = text.slice(0, Math.max(0, text.indexOf('\nSyntaxError'))).trimEnd()
  return /^.*:\d+\n/.test(before) ? before : ''
}

const ownFrames = (stack = ''): string =>
  stack
    .split('\n')
    .filter((line) => /^\s+at .*(file:\/\/|\/)/.test(line) && !line.includes('node:'))
    .slice(0, 3)
    .join('\n')
