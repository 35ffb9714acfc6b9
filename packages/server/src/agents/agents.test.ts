import { readFile, readdir } from 'node:fs/promises'
import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { everyone, startEngine, tenantId } from '../../test/support/engine.ts'
import { makeFolder } from '../../test/support/folders.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { StepFailure, newId, silentLog } from '../kernel/index.ts'
import { noAttachments, noPrompts } from '../../test/support/no-attachments.ts'
import { openAgents, runServices } from './agents.ts'
import { toMessages } from './conversation.ts'
import { insertDeployment } from './deployment-store.ts'
import { openFiles } from './file-store.ts'
import { insertVersion } from './version-store.ts'

const sandboxes = { connections: async () => ({ items: [], next: null }) }

/** No quotas here. */
const tenants = { startWithin: <Result>(_: string, __: string, start: () => Promise<Result>) => start() }

test('what a worker says of its version decides its status, whatever characters are in it', async () => {
  await using t = await makeDatabase()
  const agents = openAgents({ db: t.db, log: silentLog, dataDir: '/nowhere', agentsDir: '/nowhere' })
  await insertVersion(t.db.forTenant(tenantId), tenantId, 'one', 'v1', Buffer.from(''))
  await insertDeployment(t.db.forTenant(tenantId), {
    id: newId(),
    tenantId,
    agent: 'one',
    version: 'v1',
    share: 100,
    guard: null,
    reason: null,
    madeBy: 'a test',
  })
  const place = agents.place(tenantId, 'one', 'v1')
  const manifest = { description: 'd', shape: 'function' as const, model: null, instructions: null, tools: [], skills: [], examples: [] }
  await agents.recordLoaded(place, { manifest, problem: null })
  expect(await agents.find(tenantId, 'one')).toMatchObject({ status: 'ready', manifest })
  await agents.recordLoaded(place, { manifest: null, problem: 'line \u0000 of \ud83d' })
  expect(await agents.find(tenantId, 'one')).toMatchObject({ status: 'broken', problem: 'line \ufffd of \ufffd', manifest })
  await using e = await startEngine(t.db, {})
  const { runs } = runServices({ sandboxes, tenants, attachments: noAttachments, tools: noPrompts, db: t.db, engine: e.engine, agents })
  const caller = { askerId: undefined, keyId: newId(), tenantId, name: 'tester', permissions: [], access: { personalData: true } }
  await expect(runs.start(caller, { agent: 'one', input: null, destinations: [] })).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('does not load') as string,
  })
  await expect(runs.start(caller, { agent: 'two', input: null, destinations: [] })).rejects.toMatchObject({
    code: 'not_found',
    message: expect.stringContaining('There are: one') as string,
  })
})

test('a step is shown as its last attempt, and a model step with the prompt as the model saw it', async () => {
  await using t = await makeDatabase()
  let count = 0
  const user = (text: string) => ({ role: 'user', content: [{ type: 'text', text }] })
  const usage = { input: 1, cachedInput: 0, output: 1, costUsd: null }
  await using e = await startEngine(
    t.db,
    {
      code: async (ctx) => [
        await ctx.serve('model', 'default', { model: 'default', instructions: 'Be brief.', tools: [], append: [user('one')] }),
        await ctx.serve('model', 'default', { model: 'default', prefix: '0', append: [user('two')] }, { attemptsMax: 2, delayMsMin: 1, delayMsMax: 1 }),
      ],
    },
    {
      executors: {
        async model() {
          if (++count === 2) throw new StepFailure({ message: 'busy', retryable: true })
          return { output: { model: 'm', content: [{ type: 'text', text: `answer ${count}` }], finishReason: 'stop', usage }, usage }
        },
      },
    },
  )
  const { id } = await e.start('code')
  await e.ended(id)
  const agents = openAgents({ db: t.db, log: silentLog, dataDir: '/nowhere', agentsDir: '/nowhere' })
  const { runs } = runServices({ sandboxes, tenants, attachments: noAttachments, tools: noPrompts, db: t.db, engine: e.engine, agents })
  const step = await runs.findStep(everyone, id, '1')
  expect(step).toMatchObject({
    op: '1',
    kind: 'model',
    attempt: 2,
    failure: null,
    output: { content: [{ text: 'answer 3' }] },
    input: { instructions: 'Be brief.' },
  })
  const { messages } = (step?.input ?? {}) as { messages: { role: string; content: { text: string }[] }[] }
  expect(messages.map(({ role, content }) => [role, content[0]?.text])).toEqual([
    ['user', 'one'],
    ['assistant', 'answer 1'],
    ['user', 'two'],
  ])
  expect(await runs.findStep({ ...everyone, tenantId: 'another' }, id, '1')).toBeUndefined()
  expect(await runs.findStep(everyone, id, '7')).toBeUndefined()
})

test('runs are listed in pages that neither repeat nor leave out any', async () => {
  await using t = await makeDatabase()
  await using e = await startEngine(t.db, { code: async () => 1 })
  const ids: string[] = []
  for (let i = 0; i < 7; i++) ids.push((await e.start('code', i)).id)
  for (const id of ids) await e.ended(id)
  const { runs } = runServices({
    sandboxes,
    tools: noPrompts,
    attachments: noAttachments,
    tenants,
    db: t.db,
    engine: e.engine,
    agents: openAgents({ db: t.db, log: silentLog, dataDir: '/nowhere', agentsDir: '/nowhere' }),
  })
  const seen: string[] = []
  let cursor: string | undefined
  do {
    const page = await runs.list(everyone, { limit: 3, cursor })
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.next ?? undefined
  } while (cursor)
  expect(seen).toEqual(ids.toReversed())
  expect((await runs.list({ ...everyone, tenantId: 'another' }, { limit: 3 })).items).toEqual([])
  await expect(runs.list(everyone, { limit: 3, cursor: "' or 1=1" })).rejects.toMatchObject({ code: 'invalid' })
})

test('a file is kept once however often it is stored, found by its tenant alone, and never larger than the limit', async () => {
  await using t = await makeDatabase()
  await using data = await makeFolder()
  const files = openFiles({ db: t.db, folder: data.folder })
  const request = { name: 'chart.svg', mediaType: 'image/svg+xml', title: 'Chart', base64: Buffer.from('<svg/>').toString('base64') }
  const [one, two] = await Promise.all([files.store(tenantId, newId(), request), files.store(tenantId, newId(), request)])
  const found = await files.find(everyone, one?.fileId ?? '')
  expect(found).toMatchObject({ name: 'chart.svg', mediaType: 'image/svg+xml', bytes: 6 })
  expect(await readFile(found?.path ?? '', 'utf8')).toBe('<svg/>')
  expect((await files.find(everyone, two?.fileId ?? ''))?.path).toBe(found?.path)
  expect((await readdir(data.folder, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile())).toHaveLength(1)
  expect(await files.find({ ...everyone, tenantId: 'another' }, one?.fileId ?? '')).toBeUndefined()
  expect(await files.find(everyone, '../../etc/passwd')).toBeUndefined()
  await expect(files.store(tenantId, newId(), { ...request, base64: Buffer.alloc(8_000_001).toString('base64') })).rejects.toMatchObject({
    failure: { code: 'too_large', retryable: false },
  })
})

test('turns of a session read as what was said: the text where there is one, else the value', () => {
  const read = (input: Json, output: Json) => toMessages([{ input, output }]).map(({ content }) => (content[0]?.type === 'text' ? content[0].text : undefined))
  expect(read({ message: 'hi' }, { text: 'hello', parts: [] })).toEqual(['hi', 'hello'])
  expect(read({ question: 'why' }, 'because')).toEqual(['why', 'because'])
  expect(read([1], null)).toEqual(['[1]', 'null'])
})
