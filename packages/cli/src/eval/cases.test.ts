import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadCases, loadTruth, parseCases } from './cases.ts'

test('a case has defaults for what it leaves out', () => {
  expect(parseCases('- id: arr-1\n  question: 年初的 ARR？\n  language: zh\n  expect: { answerable: true, truth_sql: select 1 }\n', 'evals/a.yaml')).toEqual([
    { id: 'arr-1', question: '年初的 ARR？', language: 'zh', expect: { answerable: true, truth_sql: 'select 1', tolerance: 0.005, ordered: false }, tags: [] },
  ])
  expect(parseCases('', 'evals/a.yaml')).toEqual([])
})

test('a fault is named with its file and line', () => {
  expect(() => parseCases('- id: a\n  question: q\n  language: de\n  expect: { answerable: false }\n', 'evals/a.yaml')).toThrow(
    /evals\/a\.yaml:3 0\.language: Invalid option/,
  )
  expect(() => parseCases('- id: a\n  question: q\n  language: en\n  expect: { answerable: false }\n  tag: [x]\n', 'a.yaml')).toThrow(
    /a\.yaml:1 0: Unrecognized key: "tag"/,
  )
  expect(() => parseCases('- id: a\n  question: q\n  language: en\n  expect: { answerable: true }\n', 'a.yaml')).toThrow(/a\.yaml:4 0\.expect\.truth_sql/)
  expect(() => parseCases('- id: [', 'a.yaml')).toThrow(/a\.yaml:1 is not YAML/)
  expect(() => parseCases('a: 1', 'a.yaml')).toThrow(/expected array/)
})

test('a folder’s files are read in order, and an id stands once', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-cases-'))
  await expect(loadCases(folder)).rejects.toThrow(/There is no folder/)
  await mkdir(join(folder, 'evals'))
  await expect(loadCases(folder)).rejects.toThrow(/has no \.yaml file/)
  const one = (id: string) => `- { id: ${id}, question: q, language: en, expect: { answerable: false } }\n`
  await writeFile(join(folder, 'evals/b.yaml'), one('b1'))
  await writeFile(join(folder, 'evals/a.yml'), one('a1') + one('a2'))
  expect((await loadCases(folder)).map(({ id }) => id)).toEqual(['a1', 'a2', 'b1'])
  await writeFile(join(folder, 'evals/c.yaml'), one('a2'))
  await expect(loadCases(folder)).rejects.toThrow(/Two cases .* have the id a2/)
})

test('truth is computed one statement at a time and each once, and must have its form', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-truth-'))
  await expect(loadTruth(folder)).rejects.toThrow(/truth\.ts does not load/)
  await mkdir(join(folder, 'evals'))
  await writeFile(
    join(folder, 'evals/truth.ts'),
    `let calls = 0, open = 0
    export async function truth(sql: string) {
      calls++
      if (++open > 1) throw new Error('two at once')
      await new Promise((resolve) => setImmediate(resolve))
      open--
      if (sql === 'bad') throw new Error('no such table')
      return sql === 'odd' ? { rows: [[undefined]] } : { columns: ['n'], rows: [[calls]] }
    }\n`,
  )
  const truth = await loadTruth(folder)
  const [a, b, again, bad, odd] = await Promise.allSettled([truth('a'), truth('b'), truth('a'), truth('bad'), truth('odd')])
  expect([a, b, again].map((each) => each?.status === 'fulfilled' && each.value.rows)).toEqual([[[1]], [[2]], [[1]]])
  expect([bad?.status, odd?.status]).toEqual(['rejected', 'rejected'])
})
