/** The repository's source as text, and as text without what is no code. */
import { readFileSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'

export const root = join(import.meta.dirname, '..', '..', '..', '..', '..')

export type SourceFile = {
  /** From the repository's top folder, with forward slashes. */
  path: string
  text: string
  /** The same with comments blanked, line by line as long as before. */
  uncommented: string
  /** The same with comments and the insides of strings and regular expressions blanked. What is in `${}` stays: it is code. */
  code: string
}

const folders = ['packages', 'examples', 'scripts', 'bench']
const ignored = new Set(['node_modules', 'dist', '.longhaul', 'out', '.git'])

export function readSource(): SourceFile[] {
  return folders.flatMap((folder) => walk(folder)).filter((path) => /\.(ts|tsx|js|cjs|mjs)$/.test(path) && !path.endsWith('.d.ts')).map((path) => sourceFile(path, readFileSync(join(root, path), 'utf8')))
}

/** All files below a folder, whatever they are. */
export function walk(folder: string): string[] {
  return listIfThere(folder).flatMap((entry) => {
    if (ignored.has(entry.name)) return []
    const path = `${folder}/${entry.name}`
    return entry.isDirectory() ? walk(path) : [path]
  })
}

function listIfThere(folder: string) {
  try {
    return readdirSync(join(root, folder), { withFileTypes: true }).toSorted((one, other) => (one.name < other.name ? -1 : 1))
  } catch {
    return [] // `bench` or `examples` may not be there.
  }
}

export const sourceFile = (path: string, text: string): SourceFile => ({ path, text, uncommented: blank(text, 'comments'), code: blank(text, 'all') })

export const isTest = ({ path }: SourceFile): boolean => /\.test\.tsx?$/.test(path) || /^packages\/[^/]+\/(test|dev)\//.test(path) || path.endsWith('/testing.ts')
export const lineOf = (text: string, index: number): number => text.slice(0, index).split('\n').length

/** Each place where `pattern` (with flag g) occurs, as `path:line`. */
export function places(file: SourceFile, of: 'text' | 'code' | 'uncommented', pattern: RegExp, say: (match: RegExpExecArray) => string | undefined): string[] {
  return [...file[of].matchAll(pattern)].flatMap((match) => {
    const said = say(match)
    return said === undefined ? [] : [`${file.path}:${lineOf(file[of], match.index)} ${said}`]
  })
}

export type Import = { specifier: string; line: number; isType: boolean; target: string | undefined }

/** What a file imports, by `import`, `export … from`, `import()` and `require()`. Targets of relative ones are paths from the top. */
export function importsOf({ path, uncommented, code }: SourceFile): Import[] {
  const found = [...uncommented.matchAll(/(?:\b(import|export)\b\s*(type\s)?[^'"`;()]*?\bfrom\s*|\bimport\s*|\bimport\s*\(\s*|\brequire\s*\(\s*)(['"`])([^'"`\n]+)\3/g)]
  return found
    .filter((match) => code.slice(match.index, match.index + 6).trim() === uncommented.slice(match.index, match.index + 6).trim()) // Not within a string.
    .map((match) => {
      const specifier = match[4] ?? ''
      return { specifier, line: lineOf(uncommented, match.index), isType: isTypeOnly(match), target: specifier.startsWith('.') ? resolved(path, specifier) : undefined }
    })
}

/** `import type …`, or braces in which every name is a type. */
function isTypeOnly([whole, , type]: RegExpExecArray): boolean {
  const names = /\{([^}]*)\}/.exec(whole)?.[1]?.split(',').filter((name) => name.trim() !== '')
  return type !== undefined || (/^import\s*\{/.test(whole) && names !== undefined && names.every((name) => /^\s*type\s/.test(name)))
}

export function resolved(from: string, specifier: string): string {
  return join('/', dirname(from), specifier).slice(1)
}

/** Walks the text once. A slash begins a regular expression unless a value stands before it. */
function blank(text: string, what: 'comments' | 'all'): string {
  const out = [...text].length === text.length ? [...text] : text.split('')
  const hide = (from: number, to: number) => {
    for (let i = from; i < to; i++) if (out[i] !== '\n') out[i] = ' '
  }
  /** Depth of braces at which each open template continues. */
  const templates: number[] = []
  let depth = 0
  let lastCode = ''
  for (let i = 0; i < text.length; ) {
    const letter = text[i] ?? ''
    const two = text.slice(i, i + 2)
    if (two === '//' || two === '/*' || (i === 0 && two === '#!')) {
      const end = two === '/*' ? text.indexOf('*/', i) + 2 : text.indexOf('\n', i)
      const to = end < i + 2 ? text.length : end
      hide(i, to)
      i = to
    } else if (letter === "'" || letter === '"') {
      const to = endOfQuoted(text, i, letter)
      if (what === 'all') hide(i + 1, to - 1)
      lastCode = letter
      i = to
    } else if (letter === '`' || (letter === '}' && templates.at(-1) === depth)) {
      if (letter === '}') templates.pop()
      const { to, isOpen } = endOfTemplate(text, i)
      if (what === 'all') hide(i + 1, isOpen ? to - 2 : to - 1)
      if (isOpen) templates.push(depth)
      lastCode = isOpen ? '{' : '`'
      i = to
    } else if (letter === '/' && startsExpression(text, i, lastCode)) {
      const to = endOfExpression(text, i)
      if (what === 'all') hide(i + 1, to - 1)
      lastCode = '/'
      i = to
    } else {
      if (letter === '{') depth++
      if (letter === '}') depth--
      if (letter.trim() !== '') lastCode = letter
      i++
    }
  }
  return out.join('')
}

function endOfQuoted(text: string, from: number, quote: string): number {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === quote || text[i] === '\n') return i + 1
  }
  return text.length
}

function endOfTemplate(text: string, from: number): { to: number; isOpen: boolean } {
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '`') return { to: i + 1, isOpen: false }
    else if (text[i] === '$' && text[i + 1] === '{') return { to: i + 2, isOpen: true }
  }
  return { to: text.length, isOpen: false }
}

function startsExpression(text: string, index: number, lastCode: string): boolean {
  if (/[\w$)\]}'"`]/.test(lastCode)) return /\b(return|typeof|case|in|of|await|void|yield)\s*$/.test(text.slice(Math.max(0, index - 12), index))
  return lastCode !== '<' // `</div>` of a page.
}

function endOfExpression(text: string, from: number): number {
  let isClass = false
  for (let i = from + 1; i < text.length; i++) {
    if (text[i] === '\\') i++
    else if (text[i] === '[') isClass = true
    else if (text[i] === ']') isClass = false
    else if (text[i] === '\n') return from + 1 // It was a division after all.
    else if (text[i] === '/' && !isClass) return i + 1
  }
  return text.length
}
