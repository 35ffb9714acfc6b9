/** What is kept of model calls that belong to no run, who may see it, and that nothing of it is in the database in plain. */
import { expect, test } from 'vitest'
import { openFacesBed } from '../../../test/support/faces-bed.ts'
import type { FakeScript } from '../../../test/support/fake-provider.ts'
import { logCall } from '../../../test/support/logged-call.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { type Caller, openTenantKeys } from '../../identity/index.ts'
import { createLog, secretBytes, silentLog } from '../../kernel/index.ts'
import { openCallLog } from './call-log.ts'

const reader: Caller = { tenantId: 'acme', askerId: undefined, keyId: 'reader', name: 'reader', permissions: [], access: { personalData: true } }
const newest = { limit: 50 }

async function openBed(script: FakeScript = [{ text: ['Good ', 'day, ann@example.com.'] }]) {
  const database = await makeDatabase()
  const { db } = database
  const masterKeys = { current: secretBytes(32) }
  const callLog = openCallLog({ db, keys: openTenantKeys({ db, masterKeys, log: silentLog }), log: silentLog })
  await callLog.start()
  const bed = await openFacesBed(script, { callLog })
  return {
    ...bed,
    ...{ db, callLog, masterKeys },
    /** Once so many are there. */
    async logged(count = 1) {
      await expect.poll(async () => (await callLog.list(reader, newest)).items.length).toBe(count)
      return (await callLog.list(reader, newest)).items
    },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      await callLog.stop()
      await database[Symbol.asyncDispose]()
    },
  }
}

const prompt = 'Write to ann@example.com, or +49 170 1234567. The key is sk-proj-abcdefghijklmnopqrstuvwx.'
const chat = { model: 'compatible/m', user: 'ann', messages: [{ role: 'user', content: prompt }] }
const bodies: [string, { model: string } & Record<string, unknown>][] = [
  ['/openai/v1/chat/completions', chat],
  ['/openai/v1/responses', { model: 'openai/m', input: prompt }],
  ['/anthropic/v1/messages', { model: 'anthropic/m', max_tokens: 50, messages: chat.messages }],
]

test('calls of every face are logged, streamed or not, and shown masked; whoever reveals one is in the audit log', async () => {
  await using t = await openBed()
  let count = 0
  for (const [path, body] of bodies) {
    for (const stream of [false, true]) {
      const answer = await t.post(path, { ...body, stream }, { 'x-longhaul-tags': 'team=search', 'x-longhaul-session': 's-1' })
      await answer.text()
      const [call] = await t.logged(++count)
      const callId = call?.id ?? ''
      expect(call).toMatchObject({
        ...{ id: answer.headers.get('x-request-id'), keyId: 'key-caller', namespace: 'default', session: 's-1', outcome: 'answered', status: 200, code: null },
        ...{ isStream: stream, model: body.model, answeredBy: body.model, tags: { team: 'search' }, privacy: 'masked' },
      })
      expect(call?.inputTokens).toBeGreaterThan(0)
      expect(call?.isEstimated).toBe(false) // Its provider has counted.
      const masked = await t.callLog.get(reader, { callId })
      expect(masked).toMatchObject({ isMasked: true, isCut: false, answer: { content: [{ type: 'text', text: 'Good day, [EMAIL_1].' }] } })
      expect(JSON.stringify(masked.request)).toContain('Write to [EMAIL_1], or [PHONE_1]. The key is [SECRET].')
      const revealed = await t.callLog.reveal(reader, { callId, reason: 'complaint 4711' })
      expect(JSON.stringify(revealed.request)).toContain(prompt)
      expect(JSON.stringify(revealed.answer)).toContain('ann@example.com')
      const notes = await t.db.rows(sql`select who_id as who, target, detail from audit_notes where action = 'calls.reveal' and target = ${callId}`)
      expect(notes).toEqual([{ who: 'reader', target: callId, detail: { reason: 'complaint 4711', ofKey: 'key-caller' } }])
    }
  }
})

test('the database has no text of it, and another master key opens none', async () => {
  await using t = await openBed()
  await (await t.post('/openai/v1/chat/completions', { ...chat, user: undefined })).text()
  const [call] = await t.logged()
  const [rows] = await t.db.rows<{ all: string }>(sql`
    select concat((select json_agg(calls)::text from calls), (select string_agg(encode(request, 'escape') || encode(answer, 'escape'), '') from call_texts)) as all`)
  expect(rows?.all).toContain('compatible/m') // The control.
  for (const said of ['ann@example.com', 'Write to', 'Good', 'messages']) expect(rows?.all).not.toContain(said)
  const stranger = openCallLog({ db: t.db, keys: openTenantKeys({ db: t.db, masterKeys: { current: secretBytes(32) }, log: silentLog }), log: silentLog })
  await expect(stranger.get(reader, { callId: call?.id ?? '' })).rejects.toMatchObject({ code: 'unavailable' })
  // With the old one given as the previous, all is there, and under the new one from then on.
  const current = secretBytes(32)
  await openTenantKeys({ db: t.db, masterKeys: { current, previous: t.masterKeys.current }, log: silentLog }).rewrapAll()
  const renewed = openCallLog({ db: t.db, keys: openTenantKeys({ db: t.db, masterKeys: { current }, log: silentLog }), log: silentLog })
  expect(JSON.stringify((await renewed.get(reader, { callId: call?.id ?? '' })).request)).toContain('[EMAIL_1]')
})

test('privacy is the namespace’s: full, masked or none, for calls from then on', async () => {
  await using t = await openBed()
  const set = (privacy: 'full' | 'masked' | 'none', namespace?: string) => t.callLog.setPrivacy(reader, { privacy, days: 30, namespace })
  await set('full')
  await set('none', 'clinic')
  const open = logCall(t.callLog, { tenantId: 'acme', keyId: 'k', body: { messages: [{ role: 'user', content: prompt }] } })
  const closed = logCall(t.callLog, { tenantId: 'acme', keyId: 'k', namespace: 'clinic', body: { messages: [{ role: 'user', content: prompt }] } })
  await t.logged(2)
  expect(JSON.stringify((await t.callLog.get(reader, { callId: open })).request)).toContain('ann@example.com')
  expect(await t.callLog.get(reader, { callId: closed })).toMatchObject({ request: null, answer: null, privacy: 'none', costUsd: 0.25 })
  expect(await t.callLog.reveal(reader, { callId: closed, reason: 'r' })).toMatchObject({ request: null })
  expect(await t.db.rows(sql`select id from call_texts where id = ${closed}`)).toEqual([])
  await set('full', 'clinic')
  expect(await t.callLog.get(reader, { callId: closed })).toMatchObject({ request: null, privacy: 'none' })
  expect((await t.callLog.listPrivacy('acme', newest)).items).toMatchObject([{ namespace: null, privacy: 'full' }, { namespace: 'clinic' }])
  expect((await t.callLog.listPrivacy('acme', { limit: 1 })).next).toBe(':')
})

test('calls that fail or are left by their caller are logged too', async () => {
  await using t = await openBed([
    { status: 400, error: { type: 'invalid_request_error', message: 'No.' } },
    { text: ['one', 'two'], fault: { type: 'stall', afterEvents: 3 } },
  ])
  await (await t.post('/openai/v1/chat/completions', chat)).text()
  expect((await t.logged(1))[0]).toMatchObject({ outcome: 'failed', status: 400, code: 'bad_request', answeredBy: 'compatible/m' })
  expect(await t.callLog.get(reader, { callId: (await t.logged(1))[0]?.id ?? '' })).toMatchObject({ answer: null, request: { model: 'compatible/m' } })
  const leaving = new AbortController()
  const left = await fetch(`${t.url}/openai/v1/chat/completions`, {
    ...{ method: 'POST', signal: leaving.signal, headers: { authorization: 'Bearer lh_caller' } },
    body: JSON.stringify({ ...chat, stream: true }),
  })
  await left.body?.getReader().read()
  leaving.abort()
  const [aborted] = await t.logged(2)
  expect(aborted).toMatchObject({ outcome: 'aborted', status: 200, code: 'aborted' })
  // What the provider did not count is what was booked: a token for each three bytes.
  expect(aborted).toMatchObject({ inputTokens: Math.ceil(JSON.stringify({ ...chat, stream: true }).length / 3), outputTokens: 1, isEstimated: true })
  expect(JSON.stringify((await t.callLog.get(reader, { callId: aborted?.id ?? '' })).answer)).toContain('one')
})

test('pages are full and stable while calls come, and filters hold', async () => {
  await using t = await openBed()
  const ids = Array.from({ length: 7 }, (_, i) =>
    logCall(t.callLog, { tenantId: 'acme', keyId: i % 2 ? 'odd' : 'even', costUsd: i, ...(i === 3 ? { code: 'timeout', status: 504 } : {}) }),
  )
  await t.logged(7)
  const seen: string[] = []
  for (let cursor: string | null | undefined; cursor !== null;) {
    const page = await t.callLog.list(reader, { limit: 3, cursor })
    seen.push(...page.items.map(({ id }) => id))
    cursor = page.next
    logCall(t.callLog, { tenantId: 'acme', keyId: 'later' }) // On none of the pages that follow.
    await expect.poll(async () => (await t.callLog.list(reader, { ...newest, key: 'later' })).items.length).toBe(Math.ceil(seen.length / 3))
  }
  expect(seen).toEqual(ids.toReversed())
  const found = async (filter: object) => (await t.callLog.list(reader, { ...newest, ...filter })).items.map(({ id }) => ids.indexOf(id)).filter((i) => i >= 0)
  expect(await found({ key: 'odd' })).toEqual([5, 3, 1])
  expect(await found({ outcome: 'failed' })).toEqual([3])
  expect(await found({ status: 504 })).toEqual([3])
  expect(await found({ costUsdMin: 2, costUsdMax: 4 })).toEqual([4, 3, 2])
  expect(await found({ model: 'compatible/other' })).toEqual([])
  expect(await found({ to: '2020-01-01T00:00:00Z' })).toEqual([])
  expect(await found({ from: '2020-01-01T00:00:00Z', key: 'even' })).toEqual([6, 4, 2, 0])
})

test('whoever is limited sees what is theirs', async () => {
  await using t = await openBed()
  const mine = logCall(t.callLog, { tenantId: 'acme', keyId: 'mine' })
  const theirs = logCall(t.callLog, { tenantId: 'acme', keyId: 'theirs', namespace: 'prod' })
  await t.logged(2)
  const sees = async (caller: Partial<Caller>) => {
    const who = { ...reader, ...caller }
    const { items } = await t.callLog.list(who, newest)
    for (const id of [mine, theirs]) {
      const isThere = items.some((item) => item.id === id)
      for (const read of [() => t.callLog.get(who, { callId: id }), () => t.callLog.reveal(who, { callId: id, reason: 'r' })])
        expect(await read().catch((error: unknown) => error)).toMatchObject(isThere ? { id } : { code: 'not_found' })
    }
    return items.map(({ id }) => id)
  }
  expect(await sees({})).toEqual([theirs, mine])
  expect(await sees({ askerId: 'mine' })).toEqual([mine])
  expect(await sees({ namespaces: ['prod'] })).toEqual([theirs])
  expect(await sees({ agents: ['analyst'] })).toEqual([])
  expect(await sees({ tenantId: 'other' })).toEqual([])
})

test('what cannot be written now is written later, and memory is bounded', async () => {
  await using database = await makeDatabase()
  const { db, owner } = database
  const warnings: string[] = []
  const log = createLog((level, message) => level === 'warn' && warnings.push(message))
  const callLog = openCallLog({ db, keys: openTenantKeys({ db, masterKeys: { current: secretBytes(32) }, log }), log, heldBytesMax: 100_000 })
  await callLog.start()
  await owner.rows(sql`alter table calls rename to calls_away`)
  const body = { messages: [{ role: 'user', content: 'x'.repeat(40_000) }] }
  const ids = Array.from({ length: 3 }, () => logCall(callLog, { tenantId: 'acme', keyId: 'k', body }))
  await expect.poll(() => warnings).toContain('model calls could not be logged now; it is tried again')
  await owner.rows(sql`alter table calls_away rename to calls`)
  await expect.poll(async () => (await callLog.list(reader, newest)).items.length, { timeout: 5_000 }).toBe(3)
  expect(await callLog.get(reader, { callId: ids[0] ?? '' })).toMatchObject({ isCut: false })
  // The first two filled what may be held; of the third there is everything but what was said.
  expect(await callLog.get(reader, { callId: ids[2] ?? '' })).toMatchObject({ isCut: true, request: null, costUsd: 0.25 })
  const later = logCall(callLog, { tenantId: 'acme', keyId: 'k', body }) // There is room again, and an end in order writes what waits.
  await callLog.stop()
  expect(await callLog.get(reader, { callId: later })).toMatchObject({ isCut: false })
})

test('calls whose time is up are deleted with their texts, and a shorter time holds for those that are there', async () => {
  await using t = await openBed()
  const old = logCall(t.callLog, { tenantId: 'acme', keyId: 'k' })
  const kept = logCall(t.callLog, { tenantId: 'acme', keyId: 'k', namespace: 'prod' })
  await t.logged(2)
  await t.callLog.setPrivacy(reader, { namespace: 'prod', privacy: 'masked', days: 60 })
  await t.db.rows(sql`update calls set at = at - interval '10 days', expires_at = expires_at - interval '10 days'`)
  await t.callLog.setPrivacy(reader, { privacy: 'masked', days: 7 })
  await t.callLog.stop()
  await t.callLog.start() // The sweep begins at once.
  await expect.poll(async () => (await t.callLog.list(reader, newest)).items.map(({ id }) => id)).toEqual([kept])
  expect(await t.db.rows(sql`select id from call_texts`)).toEqual([{ id: kept }])
  await expect(t.callLog.get(reader, { callId: old })).rejects.toMatchObject({ code: 'not_found' })
})
