import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { loadCases, type Case } from '../../../packages/cli/src/eval/cases.ts'
import { truth } from './truth.ts'

const semanticFolder = join(import.meta.dirname, '..', 'agent', 'sandbox', 'workspace', 'semantic')

let cases: Case[]
beforeAll(async () => {
  cases = await loadCases(join(import.meta.dirname, '..'))
})

const count = (holds: (asked: Case) => boolean) => cases.filter(holds).length
const truthOf = ({ expect: expected }: Case) => (expected.answerable ? expected.truth_sql : undefined)

describe('the questions', () => {
  test('are many, no two alike', () => {
    expect(cases.length).toBeGreaterThanOrEqual(72)
    expect(new Set(cases.map(({ id }) => id)).size).toBe(cases.length)
    expect(new Set(cases.map(({ question, access }) => JSON.stringify([question, access]))).size).toBe(cases.length)
  })
  test('are Chinese in a third of the cases at least, and said so truly', () => {
    expect(count(({ language }) => language === 'zh') * 3).toBeGreaterThanOrEqual(cases.length)
    for (const { language, question } of cases) expect(/\p{Script=Han}/u.test(question) ? 'zh' : 'en', question).toBe(language)
  })
  test('are of every kind: answerable, not answerable, asked by people who may see a part', () => {
    expect(count(({ expect }) => !expect.answerable)).toBeGreaterThanOrEqual(10)
    expect(count(({ access }) => access !== undefined)).toBeGreaterThanOrEqual(8)
    expect(count(({ access }) => access?.regions?.length === 2)).toBeGreaterThanOrEqual(1)
    expect(count(({ access }) => access?.personalData === false)).toBeGreaterThanOrEqual(2)
    for (const kind of [
      'snapshot',
      'flow',
      'ratio',
      'trend',
      'growth',
      'share',
      'top',
      'superlative',
      'filter',
      'fiscal-year',
      'quarter',
      'calendar-year',
      'since',
    ]) {
      expect(
        count(({ tags }) => tags.includes(kind)),
        kind,
      ).toBeGreaterThanOrEqual(3)
    }
  })
  test('ask after every metric of the semantic layer', async () => {
    const metrics = (await readdir(join(semanticFolder, 'metrics'))).map((name) => name.replace('.yaml', '').replaceAll('_', '-'))
    const subjects = new Set(cases.filter(({ expect }) => expect.answerable).flatMap(({ tags }) => tags))
    expect(metrics).toContain('arr')
    expect(metrics.filter((name) => !subjects.has(name))).toEqual([])
  })
})

describe('the truth', () => {
  test('has rows for every answerable question, and a value in every cell', async () => {
    const answerable = cases.filter((asked) => truthOf(asked) !== undefined)
    expect(answerable.length).toBe(count(({ expect }) => expect.answerable))
    for (const asked of answerable) {
      const { columns, rows } = await truth(truthOf(asked) ?? '')
      expect(rows.length, asked.id).toBeGreaterThan(0)
      for (const row of rows) {
        expect(row.length, asked.id).toBe(columns.length)
        expect(row, asked.id).not.toContain(null)
      }
    }
  })
  test('is more than a zero where it is a single number', async () => {
    for (const asked of cases) {
      const sql = truthOf(asked)
      if (sql === undefined) continue
      const { rows } = await truth(sql)
      if (rows.length === 1 && rows[0]?.length === 1) expect(rows[0][0], asked.id).not.toBe(0)
    }
  })
  test('is sorted in the statement itself where the order counts', () => {
    const unsorted = cases.filter(({ expect }) => expect.answerable && expect.ordered && !/order by/.test(expect.truth_sql ?? ''))
    expect(unsorted.map(({ id }) => id)).toEqual([])
  })
  test('leaves no doubt about the order: no two neighbours of a ranking are equal', async () => {
    for (const asked of cases) {
      if (!asked.expect.answerable || !asked.expect.ordered) continue
      const values = (await truth(asked.expect.truth_sql ?? '')).rows.map((row) => row.at(-1))
      values.forEach((value, index) => expect(index > 0 && value === values[index - 1], asked.id).toBe(false))
    }
  })
  test('keeps to the regions of the asker', () => {
    for (const asked of cases) {
      const sql = truthOf(asked)
      for (const region of sql === undefined ? [] : (asked.access?.regions ?? [])) expect(sql, asked.id).toContain(`'${region}'`)
    }
  })
  test('cannot be written to', async () => {
    await expect(truth('delete from accounts')).rejects.toThrow(/read-only/)
  })
})
