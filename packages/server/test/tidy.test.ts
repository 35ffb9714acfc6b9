/** The house's rules, held against the whole repository. Each offence is a line; the remedy is below them. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { errorCodes, operation, operations, permissions } from '@longhaul/protocol'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { formerSettings, settings } from '../src/config.ts'
import {
  badPermissions,
  looseVersions,
  missingIn,
  unboundedInputs,
  undeclaredImports,
  undocumentedDependencies,
  unknownSettings,
  unreachable,
  usesOf,
  wordsNotUsed,
} from './support/tidy/documents.ts'
import { rules } from './support/tidy/rules.ts'
import { isTest, readSource, root, sourceFile, walk } from './support/tidy/source.ts'

const files = readSource()
const read = (path: string) => readFileSync(join(root, path), 'utf8')
const shown = (offences: string[], remedy: string) => (offences.length === 0 ? '' : `${offences.join('\n')}\n→ ${remedy}`)
const manifests = ['package.json', ...[...walk('packages'), ...walk('examples')].filter((path) => /^[^/]+\/(custom\/)?[^/]+\/package\.json$/.test(path))].map(
  (path) => ({
    path,
    ...(JSON.parse(read(path)) as { name: string; exports?: Record<string, { 'longhaul-source'?: string }>; bin?: Record<string, string> }),
  }),
)
const example = (examples: Record<string, string>) => Object.entries(examples).map(([path, text]) => sourceFile(path, text))

test('the source was found', () => {
  expect(files.map(({ path }) => path)).toEqual(
    expect.arrayContaining(['packages/protocol/src/index.ts', 'packages/server/src/main.ts', 'packages/server/test/tidy.test.ts']),
  )
  expect(manifests.length).toBeGreaterThan(5)
})

describe.each(rules)('$name', ({ offences, remedy, broken }) => {
  test('everywhere', () => {
    expect(shown(offences(files), remedy)).toBe('')
  })
  test.each(broken)('and example %# of the contrary is noticed', (contrary) => {
    expect(offences(example(contrary))).not.toEqual([])
  })
})

test('comments, texts and patterns are not taken for code', () => {
  const [file] = example({ 'a.ts': "const a = 'any' // : any\nconst b = /[/]enum X {/.test(`${c /* .only */} setTimeout`) ? 1 / 2 / 3 : '//' + d" })
  expect(file?.code).toBe("const a = '   '         \nconst b = /           /.test(`${c            }           `) ? 1 / 2 / 3 : '  ' + d")
  expect(file?.uncommented).toContain("'//' + d")
})

test('every operation has a permission that keys can have, and an address of its own', () => {
  expect(shown(badPermissions(operations, permissions), 'Mend it in packages/protocol/src.')).toBe('')
  const [first] = operations
  expect(badPermissions([{ id: 'x.y', http: ['GET', '/v1/x'], permission: 'runs:fly' as 'runs:read' }], [])).toHaveLength(1)
  expect(first && badPermissions([first, first], [first.permission])).toHaveLength(1)
})

test('every text and list that an operation takes has a maximum', () => {
  expect(shown(unboundedInputs(operations), '.max(…) in packages/protocol/src.')).toBe('')
  const careless = operation({
    id: 'x',
    summary: '',
    http: ['GET', '/x'],
    permission: 'runs:read',
    input: z.strictObject({ a: z.string(), b: z.array(z.strictObject({ c: z.string().regex(/^x+$/).optional() })) }),
    output: z.null(),
  })
  expect(unboundedInputs([careless])).toHaveLength(3)
})

test('every setting and every error code is documented', () => {
  const remedy = 'npm run generate'
  expect(shown(missingIn(read('docs/reference/config.md'), Object.keys(settings)), remedy)).toBe('')
  expect(shown(missingIn(read('docs/reference/errors.md'), Object.keys(errorCodes)), remedy)).toBe('')
  expect(missingIn('`a`', ['a', 'b'])).toHaveLength(1)
})

test('every setting that is mentioned exists', () => {
  const elsewhere = [
    'LONGHAUL_URL',
    'LONGHAUL_API_KEY', // The command's.
    'LONGHAUL_WORKER_URL',
    'LONGHAUL_WORKER_TOKEN',
    // In the environment of custom agents' programs.
    'LONGHAUL_TOKEN',
    'LONGHAUL_TOOLS_URL',
    'LONGHAUL_MCP_URL',
    'LONGHAUL_MEMORY_URL',
    'LONGHAUL_APPROVALS_URL',
    'LONGHAUL_AGENT_FOLDER',
    'LONGHAUL_WORKER_SPARE',
    'LONGHAUL_AGENT_DATA_DIR', // A worker's, from the server.
    'LONGHAUL_TEST_DATABASE_URL',
    'LONGHAUL_CONSOLE_API', // For tests and for working on the console.
  ]
  const documents = [
    'README.md',
    'ARCHITECTURE.md',
    'CONTRIBUTING.md',
    'CHANGELOG.md',
    'Dockerfile',
    ...walk('docs'),
    ...walk('deploy'),
    ...walk('packages').filter((path) => path.endsWith('.md')),
  ]
  const texts = documents.filter((path) => existsSync(join(root, path))).map((path) => ({ path, text: read(path) }))
  const source = files.filter((file) => !isTest(file)).map(({ path, uncommented }) => ({ path, text: uncommented }))
  expect(
    shown(
      unknownSettings([...texts, ...source], [...Object.keys(settings), ...Object.keys(formerSettings), ...elsewhere]),
      'Add it to `settings` in config.ts, or name one that is there.',
    ),
  ).toBe('')
  expect(unknownSettings([{ path: 'a.md', text: 'Set LONGHAUL_SPEED.' }], ['LONGHAUL_HTTP_PORT'])).toEqual(['a.md:1 names LONGHAUL_SPEED'])
})

test('words that the glossary gave up are not used', () => {
  const words = wordsNotUsed(read('docs/glossary.md'))
  expect(words).toEqual(expect.arrayContaining(['job', 'workflow', 'bot']))
  expect(shown(usesOf(words, files), 'docs/glossary.md says which word to use.')).toBe('')
  expect(usesOf(['job'], example({ 'packages/sdk/src/a.ts': 'const jobId = startJob(jobs, jobless, "job")' }))).toHaveLength(3)
})

test('every source file is reached from an entry point', () => {
  const declared = manifests.flatMap(({ path, exports = {}, bin = {} }) => {
    const folder = path.slice(0, -'package.json'.length)
    return [...Object.values(exports).flatMap((target) => target['longhaul-source'] ?? []), ...Object.values(bin)].map(
      (target) => `${folder}${target.replace('./', '')}`,
    )
  })
  const started = [
    'packages/server/src/main.ts',
    'packages/cli/src/main.ts',
    ...['packages/console/src/main.tsx', 'packages/console/public/appearance.js'].filter((path) => existsSync(join(root, path))),
  ]
  // An agent's files are found by their place, a test by its name, programs for people by hand.
  const found = files
    .map(({ path }) => path)
    .filter(
      (path) =>
        /\.test\.tsx?$/.test(path) ||
        /^(examples|examples\/custom|bench\/agents|packages\/cli\/templates)\/[^/]+\/(agent|evals)\//.test(path) ||
        path.endsWith('.config.ts') ||
        /^(scripts|bench)\/[\w-]+\.ts$/.test(path) ||
        /^packages\/[^/]+\/(test|dev)\//.test(path) ||
        path === 'packages/server/test/support/global-postgres.ts',
    )
  expect(shown(unreachable(files, [...declared, ...started, ...found]), 'Use it, or delete it.')).toBe('')
  expect(unreachable(example({ 'a/main.ts': "import './b.ts'; new Worker('./c.ts')", 'a/b.ts': '', 'a/c.ts': '', 'a/d.ts': '' }), ['a/main.ts'])).toEqual([
    'a/d.ts is reached from nowhere',
  ])
})

test('every dependency has its line in docs/dependencies.md, and every line its dependency', () => {
  expect(
    shown(undocumentedDependencies(manifests, read('docs/dependencies.md')), 'docs/dependencies.md: what for, why this one, what leaving it would cost.'),
  ).toBe('')
  expect(undocumentedDependencies([{ path: 'package.json', dependencies: { a: '1.0.0', 'b-x64': '1.0.0' } }], '| `b-*` | …\n| `c` | …')).toEqual([
    'a has no line',
    'c has a line and is not used',
  ])
})

test('every dependency is pinned', () => {
  expect(shown(looseVersions(manifests), 'Write the exact version.')).toBe('')
  expect(looseVersions([{ path: 'package.json', dependencies: { a: '^1.0.0', b: '1.0.0-beta.2', c: 'latest' } }])).toHaveLength(2)
})

test('every package that is imported is in the importer’s own package.json', () => {
  expect(shown(undeclaredImports(files, manifests), 'npm install --save-exact -w <package> <name>')).toBe('')
  const careless = example({ 'packages/sdk/src/a.ts': "import { x } from 'pg'\nimport { test } from 'vitest'\nimport fs from 'node:fs'" })
  expect(
    undeclaredImports(careless, [
      { path: 'package.json', devDependencies: { vitest: '1.0.0' } },
      { path: 'packages/sdk/package.json', dependencies: {} },
    ]),
  ).toHaveLength(2)
})
