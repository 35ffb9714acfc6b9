import fc from 'fast-check'
import { expect, test } from 'vitest'
import { folderName, insideWorkspace } from './paths.ts'

test('a path that is accepted never leaves the workspace', () => {
  const part = fc.constantFrom('..', '.', 'a', '', '/', 'workspace', '~', '\\', '%2e%2e', 'ü', '-rf', '/workspace')
  fc.assert(
    fc.property(
      fc.array(part, { maxLength: 8 }).map((parts) => parts.join('/')),
      (path) => {
        try {
          expect(insideWorkspace(path)).toMatch(/^\/workspace($|\/(?!.*(^|\/)\.\.(\/|$)))/)
        } catch (error) {
          expect(error).toMatchObject({ failure: { code: 'not_permitted' } })
        }
      },
    ),
    { numRuns: 2_000 },
  )
})

test('paths are what they were, where they are fine', () => {
  expect(['a', './a/', '/workspace/a', 'b/../a', ''].map(insideWorkspace)).toEqual([
    '/workspace/a',
    '/workspace/a',
    '/workspace/a',
    '/workspace/a',
    '/workspace',
  ])
})

test('ids become names of one part each, and different ones stay different', () => {
  expect(folderName('0193-abc_X')).toBe('0193-abc_X')
  const ids = ['', '.', '..', '.lock', 'a/b', 'a\0b', '../x', 'x'.repeat(65), 'x'.repeat(66), 'id-x', '-a', 'ü']
  const names = ids.map(folderName)
  for (const name of names) expect(name).toMatch(/^id-[0-9a-f]{40}$/)
  expect(new Set(names).size).toBe(ids.length)
})
