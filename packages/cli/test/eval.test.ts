import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Answer } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { events, startFakeApi } from './support/fake-api.ts'
import type { FakeOptions, Script } from './support/fake-api.ts'
import { command, ctrlC } from './support/run-command.ts'
import { agents } from './support/stories.ts'
import { tempFolder } from './support/temp-folder.ts'

const cases = `
- { id: total-en, question: Total?, language: en, expect: { answerable: true, truth_sql: total }, tags: [arr] }
- { id: total-zh, question: 总数？, language: zh, expect: { answerable: true, truth_sql: total }, tags: [arr, zh-only] }
- { id: by-region, question: By region?, language: en, expect: { answerable: true, truth_sql: by region } }
- { id: limited, question: Mine?, language: en, access: { regions: [EMEA] }, expect: { answerable: true, truth_sql: emea }, tags: [access] }
- { id: weather, question: Weather?, language: en, expect: { answerable: false }, tags: [unanswerable] }
`
const truth = `const known: Record<string, (string | number)[][]> = { total: [[300]], 'by region': [['EMEA', 100], ['APAC', 200]], emea: [[100]] }
export async function truth(sql: string) {
  const rows = known[sql]
  if (!rows) throw new Error('no such table')
  return { columns: [], rows }
}`

async function folderWith(yaml = cases): Promise<string> {
  const root = await tempFolder()
  await mkdir(join(root, 'analyst/evals'), { recursive: true })
  await writeFile(join(root, 'analyst/evals/a.yaml'), yaml)
  await writeFile(join(root, 'analyst/evals/truth.ts'), truth)
  return root
}

const table = (rows: (string | number)[][]): Answer['parts'] => [
  { type: 'table', columns: (rows[0] ?? []).map((_, at) => ({ name: `c${at}`, type: 'text' as const })), rows, rowCount: rows.length },
]
const says = (text: string, parts: Answer['parts'] = []): Script =>
  events([
    { type: 'run.started', data: { input: 'q' } },
    { type: 'run.completed', data: { output: { text, parts, model: 'offline/planner', usage: { input: 1, cachedInput: 0, output: 1, costUsd: 0 } } as never } },
  ])

/** Answers everything rightly, except what `wrong` overrides. */
const answering = (wrong: Record<string, Script> = {}): FakeOptions => ({
  agents,
  script: (run, key) =>
    wrong[String(run.input)] ??
    {
      'Total?': says('The total is 300.'),
      '总数？': says('总数为 300。', table([[300]])),
      'By region?': says(
        'By region.',
        table([
          ['APAC', 200],
          ['EMEA', 100],
        ]),
      ),
      'Mine?': key.access.regions ? says('100. Your access is limited to EMEA.', table([[100]])) : says('300.', table([[300]])),
      'Weather?': says("I can't answer that offline: the warehouse holds no weather."),
    }[String(run.input)] ??
    [],
})

test('right answers pass, and the score is by language and tag', async () => {
  await using api = await startFakeApi(answering())
  const { exit, out, err } = await command(api, ['eval', 'analyst'], { folder: await folderWith() })
  expect(err).toBe('')
  expect(exit).toBe(0)
  expect(out).toMatch(/✓ 5\/5/)
  expect(out).toContain('5 of 5 passed (100.0%)')
  expect(out).toMatch(/language +en +4 +4 +100\.0%\n +zh +1 +1 +100\.0%/)
  expect(out).toMatch(/tag +access +1 +1/)
  expect(out).toContain('offline/planner, offline stand-in, not a language model')
})

test('a limited case is asked with a key of that access, which is gone afterwards', async () => {
  await using api = await startFakeApi(answering())
  await command(api, ['eval', 'analyst', '--only', 'limited'], { folder: await folderWith() })
  expect(api.requests.find(({ path, method }) => path === '/v1/keys' && method === 'POST')?.body).toMatchObject({
    access: { regions: ['EMEA'], personalData: true },
  })
  expect(api.keys.map(({ name }) => name)).toEqual(['root'])
  expect(api.runs.map(({ run }) => run.asker.access.regions)).toEqual([['EMEA']])
})

test('wrong answers fail, each shown with question, expected, got and run', async () => {
  const wrong = { 'Total?': says('The total is 299999.'), 'Weather?': says('It is 21 degrees.', table([[21]])), 'Mine?': says('100.', table([[100]])) }
  await using api = await startFakeApi(answering(wrong))
  const { exit, out } = await command(api, ['eval', 'analyst', '--min', '3', '--concurrency', '1'], { folder: await folderWith() })
  expect(exit).toBe(1)
  expect(out).toMatch(/✗ total-en {2}there is no table\n {4}question {2}Total\?\n {4}expected {2}300\n {4}got {7}The total is 299999\.\n {4}run {7}0198/)
  expect(out).toContain('✗ weather  it shows a table')
  expect(out).toContain('✗ limited  the text does not mention the limit')
  expect(out).toContain('2 of 5 passed (40.0%); the minimum is 3')
  expect((await command(api, ['eval', 'analyst', '--min', '2'], { folder: await folderWith() })).exit).toBe(0)
  expect((await command(api, ['eval', 'analyst', '--min', '41%'], { folder: await folderWith() })).exit).toBe(1)
  expect((await command(api, ['eval', 'analyst', '--min', '40%'], { folder: await folderWith() })).exit).toBe(0)
})

test('--json prints one line a case and the score last', async () => {
  await using api = await startFakeApi(answering({ 'Total?': events([{ type: 'run.failed', data: { failure: { message: 'no model', retryable: false } } }]) }))
  const lines = (await command(api, ['eval', 'analyst', '--json'], { folder: await folderWith() })).json()
  expect(lines.length).toBe(6)
  expect(lines.find(({ id }) => id === 'total-en')).toMatchObject({
    type: 'case',
    isPassed: false,
    why: 'the run failed: no model',
    expected: '300',
    runId: expect.any(String),
  })
  expect(lines.at(-1)).toMatchObject({
    type: 'score',
    passed: 4,
    total: 5,
    asked: 5,
    byLanguage: { en: { passed: 3, total: 4 }, zh: { passed: 1, total: 1 } },
    byTag: { arr: { passed: 1, total: 2 } },
    model: 'offline/planner',
  })
})

test('a truth that cannot be computed fails its case, and an answer that is none fails too', async () => {
  const yaml =
    '- { id: broken, question: Total?, language: en, expect: { answerable: true, truth_sql: nonsense } }\n- { id: odd, question: Odd?, language: en, expect: { answerable: false } }\n'
  await using api = await startFakeApi(answering({ 'Odd?': events([{ type: 'run.completed', data: { output: 7 } }]) }))
  const lines = (await command(api, ['eval', 'analyst', '--json'], { folder: await folderWith(yaml) })).json()
  expect(lines.find(({ id }) => id === 'broken')?.['why']).toBe('its truth cannot be computed: no such table')
  expect(lines.find(({ id }) => id === 'odd')?.['why']).toBe('what the run returned is not an answer')
})

test('--only chooses by id or tag; a choice of nothing is an error with near names', async () => {
  await using api = await startFakeApi(answering())
  const folder = await folderWith()
  expect((await command(api, ['eval', 'analyst', '--only', 'arr', '--json'], { folder })).json().at(-1)).toMatchObject({ total: 2 })
  expect((await command(api, ['eval', 'analyst', '--only', 'weather', '--only', 'by-', '--json'], { folder })).json().at(-1)).toMatchObject({ total: 2 })
  expect(await command(api, ['eval', 'analyst', '--only', 'wether'], { folder })).toMatchObject({ exit: 5, err: expect.stringContaining('Near: weather') })
})

test('what would go wrong with every case ends the evaluation with its cause', async () => {
  await using api = await startFakeApi(answering())
  const folder = await folderWith()
  expect(await command(api, ['eval', 'analyst', '--agent', 'analist'], { folder })).toMatchObject({
    exit: 5,
    err: expect.stringContaining('Did you mean analyst?'),
  })
  expect(await command(api, ['eval', 'nowhere'], { folder })).toMatchObject({ exit: 5, err: expect.stringContaining('There is no folder') })
  expect(await command(api, ['eval', 'analyst', '--min', 'all'], { folder })).toMatchObject({ exit: 2 })
  await command(api, ['keys', 'create', 'small', '--permission', 'runs:write'])
  expect(await command(api, ['eval', 'analyst', '--key', 'lh_1', '--only', 'limited'], { folder })).toMatchObject({
    exit: 4,
    err: expect.stringContaining('Cases with access need a key that may manage keys'),
  })
})

test('a case that never ends fails after its time and is cancelled', async () => {
  await using api = await startFakeApi(
    answering({ 'Total?': [...events([{ type: 'run.started', data: { input: 'q' } }]), { type: 'pause', until: new Promise(() => {}) }] }),
  )
  const lines = (await command(api, ['eval', 'analyst', '--only', 'total-en', '--timeout', '1', '--json'], { folder: await folderWith() })).json()
  expect(lines[0]).toMatchObject({ isPassed: false, why: 'no end after 1 s' })
  expect(api.requests.at(-1)?.path).toMatch(/cancel$/)
})

test('Ctrl-C ends with what was asked so far, and still deletes the temporary keys', async () => {
  await using api = await startFakeApi(
    answering({ 'Mine?': [...events([{ type: 'run.started', data: { input: 'q' } }]), { type: 'pause', until: new Promise(() => {}) }] }),
  )
  const interrupt = new AbortController()
  const { exit, out } = await command(api, ['eval', 'analyst', '--concurrency', '2'], {
    folder: await folderWith(),
    interrupt,
    onOut: (soFar) => soFar.includes('4/5') && ctrlC(interrupt),
  })
  expect(exit).toBe(130)
  expect(out).toContain('4 of 4 passed (100.0%); 1 not asked')
  expect(api.keys.map(({ name }) => name)).toEqual(['root'])
})
