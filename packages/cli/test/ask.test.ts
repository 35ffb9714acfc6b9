import type { Answer, Json } from '@longhaul/protocol'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { columnsOf } from '../src/show/text.ts'
import { events, startFakeApi, uuid } from './support/fake-api.ts'
import type { FakeApi, Script } from './support/fake-api.ts'
import { command, ctrlC, steady } from './support/run-command.ts'
import { agents, answer, eventful } from './support/stories.ts'

const question = 'What was our ARR at the end of last quarter, by region?'

async function answering(script: () => Script = () => eventful()): Promise<FakeApi> {
  const api = await startFakeApi({ agents, script: () => script() })
  api.files.set(uuid(700), new TextEncoder().encode('<svg/>'))
  api.files.set(uuid(701), Uint8Array.of(137, 80))
  return api
}
const usage = { input: 10, cachedInput: 0, output: 5, costUsd: null }
const plain = (more: Partial<Answer> = {}): Script =>
  events([
    { type: 'run.started', data: { input: 'q' } },
    { type: 'run.completed', data: { output: { text: 'Done.', parts: [], model: 'acme/big', usage, ...more } as unknown as Json } },
  ])

test('a question in 80 columns, with a retry, a lost worker and a lost connection on the way', async () => {
  await using api = await answering()
  const { exit, out, err, folder } = await command(api, ['ask', 'analyst', question])
  expect(err).toBe('')
  expect(exit).toBe(0)
  await expect(steady(out)).toMatchFileSnapshot('snapshots/ask-80.txt')
  for (const line of out.split('\n')) if (!line.includes('longhaul-answers')) expect(columnsOf(line), line).toBeLessThanOrEqual(80)
  expect(out).not.toContain('\u001b')
  expect(await readFile(join(folder, `longhaul-answers/${uuid(0)}/arr-by-region.svg`), 'utf8')).toBe('<svg/>')
})

test('a terminal half as wide gets the same story in its width', async () => {
  await using api = await answering()
  const { out } = await command(api, ['ask', 'analyst', question], { columns: 50 })
  await expect(steady(out)).toMatchFileSnapshot('snapshots/ask-50.txt')
  for (const line of out.split('\n')) if (!/longhaul-answers|run 0198/.test(line)) expect(columnsOf(line), line).toBeLessThanOrEqual(50)
})

test('colour and a status line are for people who watch; NO_COLOR takes the colour', async () => {
  await using api = await answering()
  const watched = await command(api, ['ask', 'analyst', question], { isTty: true })
  expect(watched.out).toContain('\u001b[1m')
  expect(watched.out).toContain('\u001b[?25l')
  expect(watched.out.endsWith('\u001b[?25h'), 'the cursor is shown again before the answer').toBe(false)
  expect(watched.out.lastIndexOf('\u001b[?25h')).toBeGreaterThan(watched.out.lastIndexOf('\u001b[?25l'))
  const plainly = await command(api, ['ask', 'analyst', question], { isTty: true, env: { NO_COLOR: '1' } })
  expect(plainly.out).not.toMatch(/\u001b\[\d+m/)
  const forced = await command(api, ['ask', 'analyst', question], { env: { FORCE_COLOR: '1' } })
  expect(forced.out).toContain('\u001b[1m')
})

test('files that cannot be saved keep nothing of the answer back', async () => {
  await using api = await answering()
  const { exit, out, err } = await command(api, ['ask', 'analyst', question, '--out', '/dev/null/here'])
  expect(out).toContain('ARR at the end of Q3')
  expect(err).toContain('cannot be written: ENOTDIR')
  expect(err).toContain('--out')
  expect(exit).not.toBe(0)
  const told = await command(api, ['ask', 'analyst', question, '--out', '/dev/null/here', '--json'])
  expect(told.out).toContain('"state":"completed"')
})

test('--json prints every event once, on a line each, and the answer last', async () => {
  await using api = await answering()
  const ran = await command(api, ['ask', 'analyst', question, '--json', '--out', 'here'])
  const lines = ran.json()
  expect(lines[0]).toMatchObject({ type: 'run', runId: uuid(0), agent: 'analyst' })
  expect(lines.filter((line) => 'seq' in line).map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, seq) => seq))
  expect(lines.filter(({ type }) => type === 'connection').map(({ state }) => state)).toEqual(['lost', 'connected'])
  expect(lines.at(-1)).toMatchObject({
    type: 'answer',
    state: 'completed',
    runId: uuid(0),
    durationMs: 7_250,
    text: answer.text,
    model: 'offline/planner',
    usage: answer.usage,
  })
  expect(lines.at(-1)?.['parts']).toMatchObject([{ type: 'table' }, { path: './here/arr-by-region.svg' }, { path: './here/arr-by-region.png' }])
  expect(await readFile(join(ran.folder, 'here/arr-by-region.png'))).toEqual(Buffer.from([137, 80]))
})

test('--quiet prints the answer and nothing else', async () => {
  await using api = await answering()
  const { out } = await command(api, ['ask', 'analyst', question, '--quiet'])
  expect(out.trimStart().startsWith('ARR at the end of Q3')).toBe(true)
  expect(out).not.toContain('bash')
})

test('a start whose answer was lost is sent again and starts one run', async () => {
  await using api = await answering(() => plain())
  api.faults.loseStartResponses = 2
  const { exit, err } = await command(api, ['ask', 'analyst', 'Again?'])
  expect(exit).toBe(0)
  expect(api.runs.length).toBe(1)
  const starts = api.requests.filter(({ method }) => method === 'POST')
  expect(starts.length).toBe(3)
  expect(new Set(starts.map(({ body }) => (body as { idempotencyKey: string }).idempotencyKey)).size).toBe(1)
  expect(err).toContain('the connection was cut. Trying for 15 s.')
})

test('a server that is starting is waited for', async () => {
  await using api = await answering(() => plain())
  api.faults.unavailable = 3
  expect((await command(api, ['ask', 'analyst', 'Later?'])).exit).toBe(0)
})

test('the server is killed in the middle and comes back: the same command ends with the answer', async () => {
  const gate = Promise.withResolvers<void>()
  await using api = await answering(() => {
    const script = eventful().filter(({ type }) => type !== 'cut')
    return [...script.slice(0, 14), { type: 'pause', until: gate.promise }, ...script.slice(14)]
  })
  let isKilled = false
  const { exit, out } = await command(api, ['ask', 'analyst', question], {
    onOut(soFar) {
      if (isKilled || !soFar.includes('exit code 2')) return
      isKilled = true
      void api.stop().then(() => {
        gate.resolve()
        setTimeout(() => void api.restart(), 150)
      })
    },
  })
  expect(exit).toBe(0)
  expect([out.match(/server +lost/g)?.length, out.match(/server +back/g)?.length]).toEqual([1, 1])
  await expect(steady(out).replace(/^ {2}↻ server.*\n/gm, '')).toMatchFileSnapshot('snapshots/ask-80-without-server-lines.txt')
})

test('Ctrl-C leaves the run alone and says how to watch or cancel it', async () => {
  await using api = await answering(() => [...eventful().slice(0, 4), { type: 'pause', until: new Promise(() => {}) }])
  const interrupt = new AbortController()
  const { exit, out } = await command(api, ['ask', 'analyst', question], { interrupt, onOut: (soFar) => soFar.includes('model') && ctrlC(interrupt) })
  expect(exit).toBe(130)
  expect(out).toContain(`npx longhaul runs watch ${uuid(0)}`)
  expect(out).toContain(`npx longhaul runs cancel ${uuid(0)}`)
  expect(api.requests.some(({ path }) => path.endsWith('/cancel'))).toBe(false)
})

test('a failed run is exit code 1 and says why; a cancelled one is 10', async () => {
  const ending = (end: Parameters<typeof events>[0][number]) => answering(() => events([{ type: 'run.started', data: { input: 'q' } }, end]))
  await using failing = await ending({
    type: 'run.failed',
    data: { failure: { message: 'The model gave\u001b[31m no answer.', code: 'turns_max', retryable: false } },
  })
  const failed = await command(failing, ['ask', 'analyst', 'q'])
  expect([failed.exit, failed.out.includes('✗ The run failed (turns_max).\n  The model gave no answer.')]).toEqual([1, true])
  expect((await command(failing, ['ask', 'analyst', 'q', '--json'])).json().at(-1)).toMatchObject({
    type: 'answer',
    state: 'failed',
    failure: { code: 'turns_max' },
  })
  await using cancelling = await ending({ type: 'run.cancelled', data: { by: 'wei', reason: 'wrong question' } })
  const cancelled = await command(cancelling, ['ask', 'analyst', 'q'])
  expect([cancelled.exit, cancelled.out.includes('Cancelled by wei: wrong question.')]).toEqual([10, true])
})

test('durable code may return anything', async () => {
  const returning = (output: never) =>
    answering(() =>
      events([
        { type: 'run.started', data: { input: 'q' } },
        { type: 'run.completed', data: { output } },
      ]),
    )
  await using text = await returning('shipped' as never)
  expect((await command(text, ['ask', 'analyst', 'q', '--quiet'])).out).toContain('\n  shipped\n')
  await using object = await returning({ orders: 2 } as never)
  expect((await command(object, ['ask', 'analyst', 'q', '--quiet'])).out).toContain('{\n    "orders": 2\n  }')
})

test('a language model is named without the stand-in’s warning, and an unknown price is not zero', async () => {
  await using api = await answering(() => plain())
  const { out } = await command(api, ['ask', 'analyst', 'q'])
  expect(out).toContain('  acme/big\n')
  expect(out).toContain('cost unknown')
  expect(out).not.toContain('stand-in')
})

test('a table that was cut says so, and --rows decides', async () => {
  const table = { type: 'table' as const, columns: [{ name: 'n', type: 'number' as const }], rows: Array.from({ length: 100 }, (_, n) => [n]), rowCount: 2_400 }
  await using api = await answering(() => plain({ parts: [table] }))
  expect((await command(api, ['ask', 'analyst', 'q'])).out).toContain('40 rows of 2,400 (--json has everything)')
  expect((await command(api, ['ask', 'analyst', 'q', '--rows', '3'])).out).toContain('   0\n   1\n   2\n  3 rows of 2,400'.replaceAll('   ', '  '))
})

test('two files of one name and a name with folders end up beside each other', async () => {
  const file = (id: number, name: string) => ({ type: 'file' as const, fileId: uuid(id), name, mediaType: 'text/csv', bytes: 1 })
  await using api = await answering(() => plain({ parts: [file(700, 'a.csv'), file(701, '../../A.csv')] }))
  const { out } = await command(api, ['ask', 'analyst', 'q', '--out', 'o'])
  expect(out).toContain('./o/a.csv')
  expect(out).toContain('./o/A-2.csv')
})

test('a question may come from standard input; none at all is refused', async () => {
  await using api = await answering(() => plain())
  await command(api, ['ask', 'analyst', '-'], { stdin: '多少客户？\n' })
  expect(api.requests.find(({ method }) => method === 'POST')?.body).toMatchObject({ agent: 'analyst', input: '多少客户？' })
  expect(await command(api, ['ask', 'analyst', '-'])).toMatchObject({ exit: 2, err: expect.stringContaining('There is no question.') })
})

test('what goes wrong is told with its cause, its remedy and its exit code', async () => {
  await using api = await answering()
  const unknown = await command(api, ['ask', 'analist', 'q'])
  expect(unknown).toMatchObject({ exit: 5, err: '  ✗ There is no agent "analist".\n    Did you mean analyst?\n' })
  const wrongKey = await command(api, ['ask', 'analyst', 'q'], { env: { LONGHAUL_API_KEY: 'nope' } })
  expect(wrongKey).toMatchObject({ exit: 3, err: expect.stringContaining('The key came from LONGHAUL_API_KEY.') })
  expect((await command(api, ['ask', 'analyst', 'q', '--json', '--key', 'nope'])).json()).toEqual([
    expect.objectContaining({ type: 'error', code: 'unauthenticated', requestId: expect.any(String) }),
  ])
  expect(await command(undefined, ['ask', 'analyst', 'q'])).toMatchObject({ exit: 3, err: expect.stringContaining('npm start') })
  expect(await command(api, ['ask', 'analyst'])).toMatchObject({ exit: 2, err: expect.stringContaining('question') })
  expect(await command(api, ['ask', 'analyst', 'q', '--rows', 'many'])).toMatchObject({ exit: 2, err: expect.stringContaining('whole number') })
  expect(await command(api, ['aks'])).toMatchObject({ exit: 2, err: expect.stringContaining('ask') })
})

test('no server at all: the address, the cause and the remedy', async () => {
  const api = await startFakeApi()
  await api.stop()
  const { exit, err } = await command(api, ['status'])
  expect(exit).toBe(9)
  expect(err).toBe(
    `  ✗ No answer from ${api.url}: connection refused.\n    Is the server running? npm start starts it. The address came from\n    LONGHAUL_URL.\n`,
  )
})
