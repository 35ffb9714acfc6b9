/** The table of invariants in the engine's README names tests; a test that was renamed or removed must not leave an invariant without one. */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'

const packages = join(import.meta.dirname, '../..')
const readme = readFileSync(join(packages, 'server/src/engine/README.md'), 'utf8')
const testFiles = readdirSync(packages, { recursive: true, encoding: 'utf8' }).filter((path) => path.endsWith('.test.ts') && !path.includes('node_modules'))

/** Each file that is named, with the beginnings of the titles that stand behind it. */
function references(text: string): { file: string; titles: string[] }[] {
  return [...text.matchAll(/`([\w/.-]+\.test\.ts)`(?::? \(?((?:\*[^*]+\*(?:, )?)+))?/g)].map(([, file = '', titles = '']) => ({
    file,
    titles: [...titles.matchAll(/\*([^*]+)\*/g)].map(([, title = '']) => title),
  }))
}

const problemsOf = ({ file, titles }: { file: string; titles: string[] }): string[] => {
  const found = testFiles.filter((path) => path.endsWith(`/${file}`)).map((path) => readFileSync(join(packages, path), 'utf8'))
  if (found.length === 0) return [`there is no ${file}`]
  return titles.filter((title) => !found.some((text) => text.includes(title))).map((title) => `${file} has no test ${title}`)
}

test('every invariant names its tests, and each of them exists', () => {
  const rows = readme.split('\n').filter((line) => /^\| I\d+ \|/.test(line))
  expect(rows.map((row) => /I\d+/.exec(row)?.[0])).toEqual(Array.from({ length: 19 }, (_, i) => `I${i + 1}`))
  for (const row of rows) expect(row).toMatch(/\.test\.ts|verify|`crashes`/)
  const named = references(readme.slice(readme.indexOf('## Invariants and their tests')))
  expect(named.length).toBeGreaterThan(25)
  expect(named.flatMap(problemsOf)).toEqual([])
  expect(problemsOf({ file: 'fence.test.ts', titles: ['a node that flies'] })).toHaveLength(1)
})
