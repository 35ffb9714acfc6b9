import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { events, startFakeApi, uuid } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { agents } from './support/stories.ts'
import { tempFolder } from './support/temp-folder.ts'

const bytes = Buffer.from('a,b\n1,\u0000\n')

async function withFiles(...names: string[]): Promise<string> {
  const folder = await tempFolder()
  for (const name of names) await writeFile(join(folder, name), bytes)
  return folder
}
const answer = { text: 'Two columns.', parts: [], model: 'acme/big', usage: { input: 10, cachedInput: 0, output: 5, costUsd: null } }
const done = () =>
  events([
    { type: 'run.started', data: { input: 'q' } },
    { type: 'run.completed', data: { output: answer } },
  ])
const known = {
  ...{ id: uuid(1), name: 'figures.csv', mediaType: 'text/csv', bytes: 8, digest: 'ab', namespace: 'default', uploadedBy: uuid(2) },
  ...{ createdAt: '2026-11-21T03:00:00.000Z', expiresAt: null },
}

test('files go along with a question, each as it is, before it is asked', async () => {
  await using api = await startFakeApi({ agents, script: done })
  const folder = await withFiles('figures 2025.csv', 'chart.png')
  const { exit, out, err } = await command(api, ['ask', 'analyst', 'What is it?', '--attach', 'figures 2025.csv', '--attach', join(folder, 'chart.png')], {
    folder,
  })
  expect({ exit, err }).toEqual({ exit: 0, err: '' })
  expect(api.requests.slice(0, 3).map(({ method, path }) => `${method} ${path}`)).toEqual([
    'POST /v1/attachments?name=figures+2025.csv',
    'POST /v1/attachments?name=chart.png',
    'POST /v1/runs',
  ])
  expect(Buffer.from(api.files.get(uuid(800)) ?? [])).toEqual(bytes)
  expect(api.requests[2]?.body).toMatchObject({ input: 'What is it?', attachments: [uuid(800), uuid(801)] })
  expect(out).toContain(`with figures 2025.csv, ${bytes.length} bytes`)
})

test('a file that is not there or too large is told, and nothing is asked', async () => {
  await using api = await startFakeApi({ agents, script: done })
  const folder = await withFiles('figures.csv', 'large.bin')
  const missing = await command(api, ['ask', 'analyst', 'q', '--attach', 'figures.csv', '--attach', 'nowhere.csv'], { folder })
  expect(missing).toMatchObject({ exit: 5, err: expect.stringContaining('There is no file nowhere.csv') as string })
  expect(await command(api, ['runs', 'start', 'analyst', '--attach', '.'], { folder })).toMatchObject({
    exit: 2,
    err: expect.stringContaining('is not a file') as string,
  })
  expect(api.requests).toEqual([])
  expect(await command(api, ['ask', 'analyst', 'q', '--attach', 'large.bin'], { folder })).toMatchObject({
    err: expect.stringContaining('too large') as string,
  })
  expect(api.runs).toEqual([])
})

test('a file is sent, looked at, saved and taken back by itself', async () => {
  await using api = await startFakeApi({ answers: { 'attachments.get': known, 'attachments.delete': { id: known.id } } })
  const folder = await withFiles('figures.csv')
  const sent = await command(api, ['attachments', 'send', 'figures.csv', '--namespace', 'legal', '--json'], { folder })
  expect(sent.json()[0]).toMatchObject({ name: 'figures.csv', bytes: bytes.length })
  expect(api.requests[0]?.path).toBe('/v1/attachments?name=figures.csv&namespace=legal')
  api.files.set(known.id, bytes)
  const got = await command(api, ['attachments', 'get', known.id, '--out', 'copy.csv'], { folder })
  expect(got.out).toContain('as long as the run that has it')
  expect(await readFile(join(folder, 'copy.csv'))).toEqual(bytes)
  expect(await command(api, ['attachments', 'get', known.id, '--out', 'copy.csv'], { folder })).toMatchObject({
    err: expect.stringContaining('is there already') as string,
  })
  expect((await command(api, ['attachments', 'delete', known.id])).out).toContain('is deleted')
})
