/** Rules between the source and what is written about it. Each takes what it compares, so that it can be shown broken things. */
import type { Operation } from '@longhaul/protocol'
import { z } from 'zod'
import { type SourceFile, importsOf, isTest, lineOf, resolved } from './source.ts'

type Schema = {
  type?: unknown
  enum?: unknown
  const?: unknown
  format?: unknown
  pattern?: string
  maxLength?: number
  maxItems?: number
  properties?: Record<string, Schema>
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  $ref?: unknown
}

/** Texts and lists of an operation's input that could be of any length. */
export function unboundedInputs(operations: readonly Pick<Operation, 'id' | 'input'>[]): string[] {
  return operations.flatMap(({ id, input }) => unbounded(z.toJSONSchema(input, { io: 'input', unrepresentable: 'any', reused: 'inline' }) as Schema, id))
}

function unbounded(schema: Schema, path: string): string[] {
  // A pattern without `+`, `*` and `{n,}` bounds by itself.
  const isBounded =
    schema.maxLength !== undefined ||
    schema.enum !== undefined ||
    schema.const !== undefined ||
    schema.format !== undefined ||
    (schema.pattern !== undefined && !/[^\\][+*]|\{\d+,\}/.test(schema.pattern))
  return [
    ...(schema.type === 'string' && !isBounded ? [`${path} has no maximum`] : []),
    ...(schema.type === 'array' && schema.maxItems === undefined ? [`${path} has no maximum of items`] : []),
    ...Object.entries(schema.properties ?? {}).flatMap(([name, field]) => unbounded(field, `${path}.${name}`)),
    ...(schema.items ? unbounded(schema.items, `${path}[]`) : []),
    ...[...(schema.anyOf ?? []), ...(schema.oneOf ?? [])].flatMap((choice) => unbounded(choice, path)),
  ]
}

export function badPermissions(operations: readonly Pick<Operation, 'id' | 'permission' | 'http'>[], permissions: readonly string[]): string[] {
  const addresses = operations.map(({ http }) => http.join(' '))
  return [
    ...operations
      .filter(({ permission }) => ![...permissions, 'anybody', 'oneself'].includes(permission))
      .map(({ id, permission }) => `${id} needs ${permission}, which no key can have`),
    ...permissions
      // The bytes of files are no operation. Deploying is none yet: agents are deployed when a server starts.
      .filter(
        (permission) => permission !== 'files:read' && permission !== 'agents:deploy' && !operations.some((operation) => operation.permission === permission),
      )
      .map((permission) => `${permission} opens nothing`),
    ...addresses.filter((address, i) => addresses.indexOf(address) !== i).map((address) => `${address} is there twice`),
  ]
}

export const missingIn = (document: string, words: readonly string[]): string[] =>
  words.filter((word) => !document.includes(`\`${word}\``)).map((word) => `${word} is not in it`)

/** Names of settings that are mentioned somewhere and do not exist. */
export function unknownSettings(files: readonly Pick<SourceFile, 'path' | 'text'>[], known: readonly string[]): string[] {
  return files.flatMap(({ path, text }) =>
    [...text.matchAll(/\bLONGHAUL_[A-Z][A-Z_]*[A-Z]\b/g)].flatMap(({ 0: name, index }) =>
      known.includes(name) ? [] : [`${path}:${lineOf(text, index)} names ${name}`],
    ),
  )
}

/** The words in `code` in the glossary's last column. */
export function wordsNotUsed(glossary: string): string[] {
  const cells = glossary
    .split('\n')
    .filter((line) => line.startsWith('| **'))
    .map((line) => line.split('|').at(-2) ?? '')
  return cells.flatMap((cell) => [...cell.matchAll(/`(\w+)`/g)].map(([, word = '']) => word))
}

/** Names of ours that are such a word, or begin or end with it: `jobId`, `runJob`, `Job`. */
export function usesOf(words: readonly string[], files: readonly SourceFile[]): string[] {
  return files
    .filter((file) => /^packages\/(server|protocol|sdk)\/src\//.test(file.path))
    .flatMap((file) =>
      words.flatMap((word) => {
        const capital = `${word[0]?.toUpperCase()}${word.slice(1)}`
        const pattern = new RegExp(`(?<![\\w$])(?:${word}s?(?:[A-Z]\\w*)?|\\w*${capital}s?(?:[A-Z]\\w*)?)(?![\\w$])`, 'g')
        return [...file.code.matchAll(pattern)].map(({ 0: name, index }) => `${file.path}:${lineOf(file.code, index)} names something ${name}`)
      }),
    )
}

/**
 * Source that nothing leads to. Followed are imports, and the names of files in strings (a program that is started, a thread, a file that
 * is copied into a sandbox).
 */
export function unreachable(files: readonly SourceFile[], entries: readonly string[]): string[] {
  const byPath = new Map(files.map((file) => [file.path, file]))
  const seen = new Set<string>()
  const open = entries.filter((entry) => byPath.has(entry))
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    const file = byPath.get(path)
    if (!file || seen.has(path)) continue
    seen.add(path)
    const named = [...file.uncommented.matchAll(/['"`]([\w./-]+\.(?:ts|tsx|cjs|mjs|js))['"`]/g)].map(([, name = '']) => resolved(file.path, name))
    open.push(...importsOf(file).flatMap(({ target }) => target ?? []), ...named)
  }
  return [
    ...entries.filter((entry) => !byPath.has(entry)).map((entry) => `${entry} is named as an entry and not there`),
    ...files.filter((file) => !seen.has(file.path)).map(({ path }) => `${path} is reached from nowhere`),
  ]
}

type Manifest = {
  path: string
  name?: string
  dependencies?: Record<string, string>
  optionalDependencies?: Record<string, string>
  devDependencies?: Record<string, string>
}
const dependenciesOf = ({ dependencies, optionalDependencies, devDependencies }: Manifest): Record<string, string> => ({
  ...devDependencies,
  ...optionalDependencies,
  ...dependencies,
})

/** Dependencies without their line, and lines without their dependency. The platforms of one program share a line: `name-*`. */
export function undocumentedDependencies(manifests: readonly Manifest[], document: string): string[] {
  const documented = [...document.matchAll(/^\| `([^`]+)`/gm)].map(([, name = '']) => name)
  const matches = (line: string, name: string) => line === name || (line.endsWith('*') && name.startsWith(line.slice(0, -1)))
  const used = [...new Set(manifests.flatMap((manifest) => Object.keys(dependenciesOf(manifest))))].filter((name) => !name.startsWith('@longhaul/'))
  return [
    ...used.filter((name) => !documented.some((line) => matches(line, name))).map((name) => `${name} has no line`),
    ...documented.filter((line) => !used.some((name) => matches(line, name))).map((line) => `${line} has a line and is not used`),
  ]
}

export function looseVersions(manifests: readonly Manifest[]): string[] {
  return manifests.flatMap((manifest) =>
    Object.entries(dependenciesOf(manifest)).flatMap(([name, version]) =>
      /^\d+\.\d+\.\d+([-.]\S+)?$/.test(version) ? [] : [`${manifest.path}: ${name} is ${version}`],
    ),
  )
}

/** Imports of packages that the importer's own package.json does not name: they work only as long as somebody else brings them. */
export function undeclaredImports(files: readonly SourceFile[], manifests: readonly Manifest[]): string[] {
  const root = manifests.find(({ path }) => path === 'package.json')
  return files.flatMap((file) => {
    const own = manifests.find(({ path }) => path !== 'package.json' && file.path.startsWith(path.slice(0, -'package.json'.length)))
    const isShipped = own !== undefined && !isTest(file) && !file.path.endsWith('.config.ts')
    const declared = {
      ...(isShipped ? {} : dependenciesOf(root ?? { path: '' })),
      ...(own && (isShipped ? { ...own.dependencies, ...own.optionalDependencies } : dependenciesOf(own))),
    }
    return importsOf(file).flatMap(({ specifier, target, isType, line }) => {
      if (target !== undefined || specifier.startsWith('node:') || specifier.startsWith('/') || specifier.includes('$')) return []
      if (!own && specifier.startsWith('@longhaul/')) return [] // Scripts and benchmarks belong to no package: the workspace has them all.
      const name = specifier
        .split('/')
        .slice(0, specifier.startsWith('@') ? 2 : 1)
        .join('/')
      return name in declared || name === own?.name || (isType && name in dependenciesOf(own ?? { path: '' })) ? [] : [`${file.path}:${line} imports ${name}`]
    })
  })
}
