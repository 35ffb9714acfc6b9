/** Catalogues that are read after the program was made: looked at, applied, taken back; and never from where the server must not look. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { admitted, callOf, openTestMoney } from '../../../test/support/money.ts'
import { makeDatabase } from '../../../test/support/postgres.ts'
import { sql } from '../../db/index.ts'
import { openEgress } from '../../tools/index.ts'
import { openBoard } from './board.ts'
import { noTokens } from './buckets.ts'
import { downloadWith } from './download.ts'
import { changesOf, mergeCatalogue, readCatalogue } from './refresh.ts'

const by = { tenantId: 'acme', keyId: 'k', name: 'ops' }
const model = 'openai/gpt-6.1-terra'
const catalogueOf = (input: number, readOn = '2999-01-01', name = model) => ({ readOn, models: [{ model: name, prices: [{ input, output: 2 }] }] })

async function openBed() {
  const t = await makeDatabase()
  const money = openTestMoney(t.db)
  const board = openBoard({ db: t.db, money })
  const list = async (tenantId = 'acme', search = model) =>
    (await board.listModels(tenantId, { search, limit: 10 })).items.find((each) => each.model === search)
  return {
    ...{ db: t.db, money, board, list },
    refresh: (catalogue: object) => board.catalogue.refresh(by, { catalogue: catalogue as never }),
    async [Symbol.asyncDispose]() {
      await money[Symbol.asyncDispose]()
      await t[Symbol.asyncDispose]()
    },
  }
}

test('a catalogue is shown before it counts, counts from today on for this tenant alone, and is taken back', async () => {
  await using t = await openBed()
  const before = await t.list()
  const read = await t.refresh({ ...catalogueOf(7), models: [...catalogueOf(7).models, { model: 'openai/brand-new', prices: [{ input: 1, output: 1 }] }] })
  expect(read).toMatchObject({
    modelCount: 2,
    changeCount: 2,
    changes: [
      { model, kind: 'price', now: { input: 7 } },
      { model: 'openai/brand-new', kind: 'added' },
    ],
  })
  expect(await t.list()).toEqual(before)
  await t.board.catalogue.apply(by, { versionId: read.id })
  const today = new Date().toISOString().slice(0, 10)
  expect(await t.list()).toMatchObject({ price: { input: 7, since: today }, source: 'catalogue of 2999-01-01', isOverridden: false })
  expect((await t.list())?.prices[0]).toEqual(before?.prices[0]) // What counted before stays, dated.
  expect(await t.list('other')).toEqual(before)
  expect(await t.list('acme', 'openai/gpt-5')).toMatchObject({ model: 'openai/gpt-5' }) // No longer listed, and still known.
  // Calls are billed at it, by every server, and their rates are recorded.
  const { reservation } = await admitted(t.money.admit(callOf({ model })))
  await t.money.settle(reservation, { type: 'used', tokens: { ...noTokens, input: 1_000_000 } })
  expect(await t.db.rows(sql`select cost from usage`)).toEqual([{ cost: 7e9 }])
  const again = await t.refresh(catalogueOf(8, '2999-02-01'))
  await t.board.catalogue.apply(by, { versionId: again.id })
  expect(await t.list()).toMatchObject({ price: { input: 8 } })
  expect(await t.board.catalogue.rollback(by)).toMatchObject({ current: { id: read.id, isCurrent: true } })
  expect(await t.list()).toMatchObject({ price: { input: 7 } })
  expect(await t.board.catalogue.rollback(by)).toEqual({ current: null })
  expect(await t.list()).toEqual(before)
  expect(await t.board.catalogue.rollback(by)).toEqual({ current: null })
  expect((await t.board.catalogue.versions('acme', { limit: 10 })).items.map(({ isCurrent, appliedAt }) => [isCurrent, appliedAt !== null])).toEqual([
    [false, true],
    [false, true],
  ])
  const notes = await t.db.rows<{ action: string }>(sql`select action from audit_notes order by id`)
  expect(notes.map(({ action }) => action)).toEqual(['models.apply', 'models.apply', 'models.rollback', 'models.rollback'])
})

test('what operators set goes before it, and a newer program’s own goes before an old one', async () => {
  await using t = await openBed()
  const before = await t.list()
  const old = await t.refresh(catalogueOf(7, '2020-01-01'))
  await expect(t.board.catalogue.apply(by, { versionId: old.id })).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('2020-01-01') })
  const last = await t.refresh(catalogueOf(8))
  await t.board.catalogue.apply(by, { versionId: last.id })
  await t.db.rows(sql`update catalogue_versions set read_on = '2020-01-01'`) // As after an upgrade of the program.
  expect((await t.board.catalogue.versions('acme', { limit: 10 })).items.map(({ isCurrent }) => isCurrent)).toEqual([false, false])
  expect(before).toMatchObject({ source: expect.stringContaining('catalogue of') })
  const newer = await t.refresh(catalogueOf(7))
  await t.board.catalogue.apply(by, { versionId: newer.id })
  await t.board.setModel(by, { model, price: { input: 3, output: 3 } })
  expect(await t.list()).toMatchObject({ price: { input: 3 }, source: 'operator' })
})

test('the form of models.dev is read too, and what is no catalogue is refused with why', async () => {
  const theirs = {
    openai: {
      models: {
        'gpt-x': {
          tool_call: true,
          modalities: { input: ['text', 'image'], output: ['text'] },
          limit: { context: 1000, output: 100 },
          cost: { input: 1, output: 2, cache_read: 0.1 },
        },
      },
    },
    moonshotai: { models: { 'kimi-x': { cost: { input: 1, output: 2 } }, broken: { cost: { input: 'free' } }, unpriced: {} } },
  }
  expect(readCatalogue(theirs, '2026-11-27')).toEqual({
    readOn: '2026-11-27',
    models: [
      { model: 'openai/gpt-x', prices: [{ input: 1, output: 2, cacheRead: 0.1 }], contextMax: 1000, outputMax: 100, capabilities: ['tools', 'image-input'] },
      { model: 'moonshot/kimi-x', prices: [{ input: 1, output: 2 }] },
    ],
  })
  for (const [wrong, why] of [
    [[], 'no catalogue'],
    [{}, 'no catalogue'],
    ['text', 'no catalogue'],
    [{ readOn: '2026-11-27', models: [] }, 'no catalogue'],
    [{ openai: { models: {} } }, '1 to 20000 models'],
    [{ readOn: '2026-11-27', models: [...catalogueOf(1).models, ...catalogueOf(2).models] }, 'twice'],
    [{ readOn: '2026-11-27', models: [{ model, prices: [{ input: -1, output: 1 }] }] }, 'no catalogue'],
  ] as const)
    expect(() => readCatalogue(wrong, '2026-11-27')).toThrow(why)
})

test('changes that are hard to believe are marked; future prices and limits go along', () => {
  const now = new Map([[model, { model, prices: [{ input: 1, output: 10 }], contextMax: 5 }]])
  const changed = (price: object) => changesOf(now, [{ model, prices: [{ input: 1, output: 10, ...price }] }], '2026-11-27')
  expect(changed({})).toEqual([])
  expect(changed({ input: 5 })).toMatchObject([{ kind: 'price', isSuspicious: false }])
  for (const price of [{ input: 11 }, { output: 0.5 }, { input: 0 }]) expect(changed(price)).toMatchObject([{ isSuspicious: true }])
  expect(changesOf(now, [{ model, prices: [], contextMax: 6 }], '2026-11-27')).toMatchObject([{ kind: 'limits' }])
  const next = {
    model,
    prices: [
      { input: 1, output: 10 },
      { input: 2, output: 10, since: '2027-01-01' },
    ],
    outputMax: 9,
  }
  expect(mergeCatalogue(now, [next], '2026-11-27')).toEqual([{ model, contextMax: 5, outputMax: 9, prices: next.prices }])
})

test('an address is read through the guarded way out: no private host, no redirect, nothing too large', async () => {
  const server = createServer((request, response) => {
    if (request.url === '/moved') return void response.writeHead(302, { location: 'http://169.254.169.254/' }).end()
    if (request.url === '/large') return void response.writeHead(200).end(Buffer.alloc(17 * 1024 * 1024, 0x20))
    response.writeHead(request.url === '/gone' ? 404 : 200).end(JSON.stringify(catalogueOf(7)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`
  const guarded = openEgress({ privateHosts: [] })
  const opened = openEgress({ privateHosts: [host] })
  try {
    await using t = await makeDatabase()
    await using money = openTestMoney(t.db)
    const read = (egress: typeof guarded, url: string) => openBoard({ db: t.db, money, download: downloadWith(egress) }).catalogue.refresh(by, { url })
    expect(await read(opened, `http://${host}/`)).toMatchObject({ source: `http://${host}/`, modelCount: 1 }) // The control.
    for (const url of [`http://${host}/`, `http://localhost:${host.split(':')[1]}/`, 'http://169.254.169.254/latest/meta-data', 'http://[::1]/'])
      await expect(read(guarded, url)).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('not on the public internet') as string })
    await expect(read(opened, `http://${host}/moved`)).rejects.toThrow('sends on to')
    await expect(read(opened, `http://${host}/gone`)).rejects.toThrow('404')
    await expect(read(opened, `http://${host}/large`)).rejects.toMatchObject({ code: 'invalid' })
  } finally {
    await guarded.stop()
    await opened.stop()
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
})
