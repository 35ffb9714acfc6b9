/** Files that people send along with a message, from the request to the model and the sandbox. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { type Attachment, type Json, type Run, attachmentsOf } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { deleteExpired } from '../src/outcomes/retention-store.ts'
import { type BedCaller, openBed, until } from './support/api-bed.ts'
import { openFakeGateway } from './support/fake-gateway.ts'
import { usableModes } from './support/sandbox-modes.ts'

const png = Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64')
const csv = Buffer.from('region,sales\nnorth,20\nsouth,22\n')
const everything = { personalData: true }

const openings: Parameters<typeof openBed>[0] = {
  /** Asks a model with what it was given, as the loop does. */
  looks: ({ run, input, messages }) => [
    {
      type: 'op',
      run,
      op: '0',
      kind: 'model',
      name: 'model',
      input: {
        model: (input as { model?: string }).model ?? 'anthropic/claude-sonnet-4-5',
        append: [
          ...messages,
          { role: 'user', content: [{ type: 'text', text: 'Look.' }, ...attachmentsOf(input).map((file) => ({ type: 'attachment' as const, ...file }))] },
        ] as Json,
      },
    },
  ],
  reads: ({ run, input }) => [
    { type: 'op', run, op: '0', kind: 'exec', name: 'exec', input: { script: `cat attachments/${attachmentsOf(input)[0]?.name ?? '*'}; ls attachments` } },
  ],
  echoes: ({ run, input }) => [{ type: 'run.completed', run, output: input }],
  listens: ({ run }) => [
    { type: 'op.wait', run, op: '0', kind: 'signal', name: 'news', timeoutMs: null },
    { type: 'run.idle', run, ops: ['0'] },
  ],
}

const open = (driver: 'virtual' | 'bwrap' = 'virtual', gateway?: Parameters<typeof openBed>[5]) =>
  openBed(openings, undefined, driver, undefined, false, gateway)
type Bed = Awaited<ReturnType<typeof open>>

const send = (bed: Bed, { secret }: BedCaller, name: string, content: Uint8Array<ArrayBuffer>, more = ''): Promise<Response> =>
  Promise.resolve(
    bed.app.request(`/v1/attachments?name=${encodeURIComponent(name)}${more}`, {
      method: 'POST',
      headers: { authorization: `Bearer ${secret}`, 'content-type': 'application/octet-stream' },
      body: content,
    }),
  )
const sent = async (...given: Parameters<typeof send>): Promise<Attachment> => {
  const response = await send(...given)
  if (response.status !== 200) throw new Error(await response.text())
  return (await response.json()) as Attachment
}
const expire = async (bed: Bed, runId: string): Promise<number> => {
  await bed.db.rows(sql`delete from endings where run_id = ${runId}`)
  await bed.db.rows(sql`update runs set ended_at = ended_at - interval '31 days' where id = ${runId}`)
  return deleteExpired(bed.db.forTenant('acme'), 'acme', 10)
}
const bytesOf = (base: Buffer): Uint8Array<ArrayBuffer> => new Uint8Array(base)

test('what is sent is kept once, as what its bytes say it is, and handed out to be saved', async () => {
  await using bed = await open()
  const ada = await bed.caller('ada', everything)
  const picture = await sent(bed, ada, '../../etc/cron.d/pic.html', bytesOf(png))
  expect(picture).toMatchObject({ name: 'pic.html', mediaType: 'image/png', bytes: png.length, namespace: 'default', uploadedBy: ada.id })
  expect(Date.parse(picture.expiresAt ?? '') - Date.parse(picture.createdAt)).toBe(86_400_000)
  const page = await sent(bed, ada, 'page.html', bytesOf(Buffer.from('<script>alert(1)</script>')))
  expect(page.mediaType).toBe('text/plain')
  const asJson = await ada.ask('POST', '/v1/attachments', { name: '\u202e\n..\u0007figures.csv', base64: csv.toString('base64') })
  const figures = (await asJson.json()) as Attachment
  expect(figures).toMatchObject({ name: 'figures.csv', mediaType: 'text/csv' })
  for (const { id, name, content } of [
    { ...picture, content: png },
    { ...figures, content: csv },
  ]) {
    const response = await ada.ask('GET', `/v1/attachments/${id}/content`)
    expect(Buffer.from(await response.arrayBuffer())).toEqual(content)
    expect(response.headers.get('content-disposition')).toMatch(new RegExp(`^attachment; filename="${name}"`))
    expect(response.headers.get('x-content-type-options')).toBe('nosniff')
    expect(response.headers.get('content-security-policy')).toContain('sandbox')
  }
  const again = await sent(bed, ada, 'same.png', bytesOf(png))
  expect(again).toMatchObject({ digest: picture.digest })
  expect(existsSync(join(bed.dataDir, 'blobs/attachments/acme', picture.digest.slice(0, 2), picture.digest))).toBe(true)
  expect((await ada.ask('DELETE', `/v1/attachments/${picture.id}`)).status).toBe(200)
  expect((await ada.ask('GET', `/v1/attachments/${again.id}/content`)).status).toBe(200)
  expect((await ada.ask('DELETE', `/v1/attachments/${again.id}`)).status).toBe(200)
  expect(existsSync(join(bed.dataDir, 'blobs/attachments/acme', picture.digest.slice(0, 2), picture.digest))).toBe(false)
})

test('limits: of one file, of a message, of the tenant’s storage', async () => {
  await using bed = await open()
  const ada = await bed.caller('ada', everything)
  const storageBytesMax = 100_000 + 4 * csv.length
  await bed.db.rows(sql`insert into tenants (id, description, quotas, sandbox_policy) values ('acme', '', ${JSON.stringify({ storageBytesMax })}, '{}')`)
  const large = await send(bed, ada, 'large.bin', new Uint8Array(100_001))
  expect(large.status).toBe(413)
  expect((await send(bed, ada, 'fits.bin', new Uint8Array(100_000))).status).toBe(200)
  expect(await (await send(bed, ada, 'empty', new Uint8Array(0))).json()).toMatchObject({ error: { code: 'invalid' } })
  const ids = []
  for (const name of ['a', 'b', 'c', 'd']) ids.push((await sent(bed, ada, name, bytesOf(csv))).id)
  const tooMany = await ada.ask('POST', '/v1/runs', { agent: 'echoes', input: 'x', attachments: ids })
  expect(await tooMany.json()).toMatchObject({ error: { code: 'too_large', message: expect.stringContaining('at most 3 files') as string } })
  expect((await ada.ask('POST', '/v1/runs', { agent: 'echoes', input: 'x', attachments: ids.slice(1) })).status).toBe(200)
  expect(await (await send(bed, ada, 'e', bytesOf(csv))).json()).toMatchObject({ error: { code: 'over_limit' } })
})

test('another tenant, another key and another namespace find nothing; who may read the run finds the file', async () => {
  await using bed = await open()
  const ada = await bed.caller('ada', everything)
  const boss = await bed.caller('boss', everything)
  const limited = await bed.caller('limited', { regions: ['EMEA'], personalData: true })
  const elsewhere = await bed.caller('elsewhere', everything, { namespaces: ['other'] })
  const foreign = await bed.caller('foreign', everything, { tenantId: 'globex' })
  const { id } = await sent(bed, ada, 'figures.csv', bytesOf(csv))
  const statusOf = async (caller: BedCaller) => [
    (await caller.ask('GET', `/v1/attachments/${id}`)).status,
    (await caller.ask('GET', `/v1/attachments/${id}/content`)).status,
    (await caller.ask('DELETE', `/v1/attachments/${id}`)).status,
    (await caller.ask('POST', '/v1/runs', { agent: 'echoes', input: 'x', attachments: [id] })).status,
  ]
  for (const caller of [boss, limited, elsewhere, foreign]) expect(await statusOf(caller), caller.name).toEqual([404, 404, 404, 404])
  const run = await ada.start('echoes', { input: 'Sum it up.', attachments: [id] })
  expect(await statusOf(boss)).toEqual([200, 200, 403, 404])
  for (const caller of [limited, elsewhere, foreign]) expect(await statusOf(caller), caller.name).toEqual([404, 404, 404, 404])
  expect(await (await ada.ask('DELETE', `/v1/attachments/${id}`)).json()).toMatchObject({ error: { code: 'conflict' } })
  expect(await ada.read(`/v1/attachments/${id}`)).toMatchObject({ expiresAt: null })
  expect(run.input).toMatchObject({ message: 'Sum it up.', attachments: [{ id, name: 'figures.csv', mediaType: 'text/csv', bytes: csv.length }] })
})

test('an input that names somebody else’s file by itself gives the run nothing', async () => {
  await using bed = await open()
  const ada = await bed.caller('ada', everything)
  const mallory = await bed.caller('mallory', { regions: ['EMEA'], personalData: true })
  const { id, digest } = await sent(bed, ada, 'figures.csv', bytesOf(csv))
  const stolen = { message: 'x', attachments: [{ id, name: 'figures.csv', mediaType: 'text/csv', bytes: csv.length, digest }] }
  const run = await mallory.start('echoes', { input: stolen })
  expect(run.state).toBe('completed')
  expect((await mallory.ask('GET', `/v1/attachments/${id}`)).status).toBe(404)
  const own = await ada.start('echoes', { input: stolen })
  const about = (of: Run, caller: BedCaller) => ({ ...of, tenantId: 'acme', asker: { id: caller.id, name: caller.name, access: everything } })
  expect(await bed.attachments.usable(about(run, mallory))).toEqual([])
  expect(await bed.attachments.usable(about(own, ada))).toMatchObject([{ id }])
})

test('a name is one file’s in a conversation, whatever is sent again', async () => {
  await using bed = await open()
  const ada = await bed.caller('ada', everything)
  const names = async (attachments: string[], idempotencyKey: string) =>
    attachmentsOf((await ada.start('echoes', { input: 'x', session: 's', attachments, idempotencyKey })).input).map(({ name }) => name)
  const [a, b, c] = [
    await sent(bed, ada, 'data.csv', bytesOf(csv)),
    await sent(bed, ada, 'DATA.csv', bytesOf(png)),
    await sent(bed, ada, 'data.csv', bytesOf(Buffer.from('x'))),
  ]
  expect(await names([a.id, b.id], 'one')).toEqual(['data.csv', 'DATA-2.csv'])
  expect(await names([c.id, a.id], 'two')).toEqual(['data-3.csv', 'data.csv'])
  expect(await names([a.id, b.id], 'one')).toEqual(['data.csv', 'DATA-2.csv'])
})

test('what no message has goes after its time, with the last run that had it, and not before', async () => {
  await using bed = await open()
  const ada = await bed.caller('ada', everything)
  const used = await sent(bed, ada, 'used.csv', bytesOf(csv))
  const steered = await sent(bed, ada, 'steered.csv', bytesOf(Buffer.from('steered')))
  const unused = await sent(bed, ada, 'unused.csv', bytesOf(Buffer.from('unused')))
  const run = await ada.start('echoes', { input: 'x', attachments: [used.id] })
  const fork = (await (await ada.ask('POST', `/v1/runs/${run.id}/fork`, {})).json()) as Run
  await ada.start('listens', { input: 'x', session: 's' })
  await ada.ask('POST', '/v1/runs', { agent: 'listens', input: 'And this.', session: 's', whenBusy: 'steer', attachments: [steered.id] })
  await bed.db.rows(sql`update attachments set created_at = created_at - interval '2 days'`)
  const left = async () => {
    await bed.attachments.sweep()
    return (await bed.db.rows<{ name: string }>(sql`select name from attachments order by name`)).map(({ name }) => name)
  }
  expect(await left()).toEqual(['steered.csv', 'used.csv'])
  expect((await ada.ask('GET', `/v1/attachments/${unused.id}`)).status).toBe(404)
  expect(existsSync(join(bed.dataDir, 'blobs/attachments/acme', unused.digest.slice(0, 2), unused.digest))).toBe(false)
  await ada.ask('POST', '/v1/retention', { days: 30 })
  expect(await expire(bed, run.id)).toBe(1)
  expect(await left()).toEqual(['steered.csv', 'used.csv'])
  await until(
    () => ada.read<Run>(`/v1/runs/${fork.id}`),
    ({ state }) => state === 'completed',
  )
  expect(await expire(bed, fork.id)).toBe(1)
  expect(await left()).toEqual(['steered.csv'])
})

type Wire = { messages: { role: string; content: { type: string; text?: string; source?: object }[] }[] }

test('a picture goes to a model that takes pictures, as the provider wants it; the journal has no bytes of it', async () => {
  await using fake = await openFakeGateway([{ text: ['A dot.'] }])
  await using bed = await open('virtual', fake.gateway)
  const ada = await bed.caller('ada', everything)
  const picture = await sent(bed, ada, 'dot.png', bytesOf(png))
  const figures = await sent(bed, ada, 'figures.csv', bytesOf(csv))
  const run = await ada.start('looks', { input: 'What is it?', attachments: [picture.id, figures.id], session: 's' })
  expect(run.state).toBe('completed')
  const content = (fake.fake.requests[0]?.body as unknown as Wire | undefined)?.messages[0]?.content ?? []
  expect(content).toMatchObject([
    { type: 'text', text: 'Look.' },
    { type: 'text', text: `[Attached file: attachments/dot.png in the sandbox; image/png, ${png.length} bytes.]` },
    { type: 'image', source: { type: 'base64', media_type: 'image/png', data: png.toString('base64') } },
    { type: 'text', text: `[Attached file: attachments/figures.csv in the sandbox; text/csv, ${csv.length} bytes.]` },
  ])
  expect(content).toHaveLength(4)
  const journal = JSON.stringify(await ada.read(`/v1/runs/${run.id}/journal`))
  expect(journal).toContain(picture.digest)
  expect(journal).not.toContain(png.toString('base64').slice(0, 40))
  const step = JSON.stringify(await ada.read(`/v1/runs/${run.id}/steps/0`))
  expect(step).toContain(picture.id)
  expect(step).not.toContain(png.toString('base64').slice(0, 40))
  await ada.start('looks', { input: 'And now?', session: 's' })
  expect(JSON.stringify(fake.fake.requests[1]?.body)).toContain(png.toString('base64'))
})

test('a model that takes no pictures is told of them, and so is one whose operator says so', async () => {
  await using fake = await openFakeGateway([{ text: ['I see none.'] }])
  await using bed = await open('virtual', fake.gateway)
  const ada = await bed.caller('ada', everything)
  const picture = await sent(bed, ada, 'dot.png', bytesOf(png))
  const input = { message: 'What is it?', model: 'compatible/qwen3:8b' }
  await ada.start('looks', { input, attachments: [picture.id] })
  expect(JSON.stringify(fake.fake.requests[0]?.body)).toContain('attachments/dot.png')
  expect(JSON.stringify(fake.fake.requests[0]?.body)).not.toContain(png.toString('base64').slice(0, 40))
  await ada.ask('POST', '/v1/catalogue/models', { model: 'compatible/qwen3:8b', capabilities: ['image-input'] })
  await ada.start('looks', { input, attachments: [picture.id] })
  expect(JSON.stringify(fake.fake.requests[1]?.body)).toContain(`data:image/png;base64,${png.toString('base64')}`)
})

test('another’s file in a prompt is not given to a model', async () => {
  await using fake = await openFakeGateway([{ text: ['Nothing.'] }])
  await using bed = await open('virtual', fake.gateway)
  const ada = await bed.caller('ada', everything)
  const mallory = await bed.caller('mallory', everything)
  const { id, name, mediaType, bytes, digest } = await sent(bed, ada, 'dot.png', bytesOf(png))
  await mallory.start('looks', { input: { message: 'x', attachments: [{ id, name, mediaType, bytes, digest }] } })
  expect(JSON.stringify(fake.fake.requests[0]?.body)).toContain('no longer kept')
  expect(JSON.stringify(fake.fake.requests[0]?.body)).not.toContain(png.toString('base64').slice(0, 40))
})

test.skipIf(!usableModes().length)('a file is in the sandbox of its conversation, with those that were sent before', async () => {
  await using bed = await open('bwrap')
  const ada = await bed.caller('ada', everything)
  const figures = await sent(bed, ada, 'figures.csv', bytesOf(csv))
  const first = await ada.start('reads', { input: 'x', session: 's', attachments: [figures.id] })
  expect(first.output).toMatchObject({ exitCode: 0, stdout: `${csv.toString()}figures.csv\n` })
  const picture = await sent(bed, ada, 'dot.png', bytesOf(png))
  const second = await ada.start('reads', { input: 'x', session: 's', attachments: [picture.id] })
  expect((second.output as { stdout: string }).stdout).toContain('dot.png\nfigures.csv\n')
  const third = await ada.start('reads', { input: 'x', session: 'other' })
  expect(third.output).toMatchObject({ exitCode: 2 })
})
