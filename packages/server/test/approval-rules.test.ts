/** Who has to say yes to what a run asks: several, others than the asker, those of a role, and everybody once it has waited too long. Over the API, with people who are signed in. */
import { type Approval, ApprovalRule, type Json } from '@longhaul/protocol'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { sql } from '../src/db/index.ts'
import { newId } from '../src/kernel/index.ts'
import { tellDeciders } from '../src/mail/approval-mail-store.ts'
import { type Bed, type BedCaller, openBed, until } from './support/api-bed.ts'
import { type Visitor, openVisitor, tokenOf } from './support/visitor.ts'

let bed: Bed
let boss: BedCaller

beforeAll(async () => {
  bed = await openBed(
    {
      asks: ({ run, input }) => [
        { type: 'op.wait', run, op: '0', kind: 'approval', name: 'Pay?', detail: { amount: 9 }, timeoutMs: null, ...ruleOf(input) },
        { type: 'run.idle', run, ops: ['0'] },
      ],
    },
    undefined,
    undefined,
    undefined,
    true,
  )
  boss = await bed.caller('boss', { personalData: true })
})
afterEach(async () => void (await bed.db.rows(sql`update people set is_disabled = true`))) // Each test has its own.
afterAll(async () => bed[Symbol.asyncDispose]())

/** As the worker's frame is read. */
const ruleOf = (input: Json) => {
  const { rule } = input as { rule?: Json }
  return rule === undefined ? {} : { rule: ApprovalRule.parse(rule) }
}

type Joined = Visitor & { id: string; name: string }
async function joined(name: string, roles = ['approver']): Promise<Joined> {
  const invited = await boss.ask('POST', '/v1/people', { email: `${newId()}@example.com`, name, roles })
  const { id, link } = (await invited.json()) as { id: string; link: string }
  const visitor = openVisitor(bed)
  expect((await visitor.ask('POST', '/v1/sign-in/join', { token: tokenOf(link), password: 'correct horse battery staple' })).status).toBe(200)
  await visitor.load()
  return { ...visitor, id, name }
}
async function asked(rule: Record<string, Json> | undefined, by?: Joined): Promise<{ runId: string; id: string }> {
  const body = { agent: 'asks', input: rule ? { rule } : {} }
  const run = by ? (await by.ask('POST', '/v1/runs', body)).body : await (await boss.ask('POST', '/v1/runs', body)).json()
  const { id: runId } = run as { id: string }
  const { items } = await until(
    () => boss.read<{ items: { id: string }[] }>(`/v1/approvals?runId=${runId}`),
    (found) => found.items.length === 1,
  )
  return { runId, id: items[0]!.id }
}
const decide = async (who: Joined, id: string, approved = true) => {
  const { status, body } = await who.ask('POST', `/v1/approvals/${id}`, { approved })
  return { status, ...(body as Partial<Approval> & { error?: { code: string; message: string } }) }
}
/** What the run was told. */
const told = async (runId: string) => {
  const { items } = await boss.read<{ items: { type: string; data: { output?: Json } }[] }>(`/v1/runs/${runId}/events`)
  return items.flatMap(({ type, data }) => (type === 'wait.completed' ? [data.output] : []))
}

test('where several have to approve it waits for the last of them, and nobody counts twice', async () => {
  const [ann, ben, cleo] = [await joined('Ann'), await joined('Ben'), await joined('Cleo')]
  const { runId, id } = await asked({ approversMin: 2 })
  expect(await decide(ann, id)).toMatchObject({
    status: 200,
    state: 'pending',
    approvedBy: ['Ann'],
    decidedBy: null,
    rule: { approversMin: 2 },
    ruleFrom: { policies: [], isOfCode: true },
  })
  expect(await decide(ann, id)).toMatchObject({
    status: 409,
    error: { code: 'conflict', message: expect.stringContaining('It takes 1 more, each by somebody else') },
  })
  expect(await told(runId)).toEqual([])
  expect(await decide(ben, id)).toMatchObject({ status: 200, state: 'approved', approvedBy: ['Ann', 'Ben'], decidedBy: 'Ann, Ben' })
  expect(await decide(cleo, id)).toMatchObject({ status: 409 })
  expect(
    await until(
      () => told(runId),
      (found) => found.length > 0,
    ),
  ).toEqual([{ approved: true, by: 'Ann, Ben', comment: null }])
  // One no is enough, after a yes as well.
  const second = await asked({ approversMin: 3 })
  await decide(ann, second.id)
  expect(await decide(ben, second.id, false)).toMatchObject({ state: 'denied', decidedBy: 'Ben' })
  expect(
    await until(
      () => told(second.runId),
      (found) => found.length > 0,
    ),
  ).toMatchObject([{ approved: false, by: 'Ben' }])
  // The control: without a rule the first answer wins.
  expect(await decide(ann, (await asked(undefined)).id)).toMatchObject({ state: 'approved', decidedBy: 'Ann', rule: null })
})

test('of many who approve at the same moment exactly so many count', async () => {
  const people = await Promise.all(Array.from({ length: 6 }, (_, i) => joined(`P${i}`)))
  const { runId, id } = await asked({ approversMin: 3 })
  const answers = await Promise.all(people.flatMap((person) => [decide(person, id), decide(person, id)]))
  expect(answers.filter(({ status, state }) => status === 200 && state === 'approved')).toHaveLength(1)
  expect(answers.filter(({ status, state }) => status === 200 && state === 'pending')).toHaveLength(2)
  const [output] = await until(
    () => told(runId),
    (found) => found.length > 0,
  )
  expect(new Set((output as { by: string }).by.split(', ')).size).toBe(3)
})

test('whoever asked does not decide where that is said, neither yes nor no, and others do', async () => {
  const [ann, ben] = [await joined('Ann', ['administrator']), await joined('Ben')]
  const { id } = await asked({ excludesAsker: true }, ann)
  for (const approved of [true, false])
    expect(await decide(ann, id, approved)).toMatchObject({
      status: 403,
      error: { code: 'forbidden', message: expect.stringContaining('somebody else has to') },
    })
  expect(await decide(ben, id)).toMatchObject({ state: 'approved' })
  expect(await decide(ann, (await asked(undefined, ann)).id)).toMatchObject({ state: 'approved' })
})

test('those of a role decide and are told, and everybody else once it has waited too long', async () => {
  const [ann, ben] = [await joined('Ann', ['administrator']), await joined('Ben')]
  const { id } = await asked({ roles: ['administrator'], escalateAfterMs: 3_600_000 })
  const mailed = async () =>
    (await bed.db.rows<{ personId: string }>(sql`select person_id as "personId" from mails where approval_id = ${id} order by id`)).map(
      ({ personId }) => personId,
    )
  await tellDeciders(bed.db, 50)
  expect(await mailed()).toEqual([ann.id])
  expect(await decide(ben, id)).toMatchObject({
    status: 403,
    error: { message: expect.stringMatching(/one of these roles: administrator\. If they do not decide in time, it is for everybody/) },
  })
  await bed.db.rows(sql`update approvals set escalates_at = escalates_at - interval '1 hour' where id = ${id}`)
  await tellDeciders(bed.db, 50)
  await tellDeciders(bed.db, 50)
  expect(await mailed()).toEqual([ann.id, ben.id])
  expect(await decide(ben, id)).toMatchObject({ state: 'approved', decidedBy: 'Ben' })
  // Without an escalation the others never may.
  const { id: strict } = await asked({ roles: ['administrator'] })
  expect(await decide(ben, strict)).toMatchObject({ status: 403 })
  expect(await decide(ann, strict)).toMatchObject({ state: 'approved' })
})

test('a week later it is decided as on the first day', async () => {
  const ann = await joined('Ann')
  const { runId, id } = await asked({ approversMin: 1 })
  await bed.db.rows(sql`update approvals set created_at = created_at - interval '8 days' where id = ${id}`)
  await bed.db.rows(sql`update runs set created_at = created_at - interval '8 days' where id = ${runId}`)
  expect(await decide(ann, id)).toMatchObject({ state: 'approved' })
  expect(
    await until(
      () => told(runId),
      (found) => found.length > 0,
    ),
  ).toMatchObject([{ approved: true, by: 'Ann' }])
})
