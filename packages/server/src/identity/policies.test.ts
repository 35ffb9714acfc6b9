import type { Permission } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { silentLog } from '../kernel/index.ts'
import type { PolicyRequest } from './cedar.ts'
import type { Caller } from './keys.ts'
import { openPolicies } from './policies.ts'

const boss: Caller = {
  tenantId: 'acme',
  askerId: undefined,
  keyId: 'k',
  name: 'boss',
  permissions: ['policies:manage'] as Permission[],
  access: { personalData: true },
}
const request = (change: Partial<PolicyRequest> = {}): PolicyRequest => ({
  principal: { id: 'k1', name: 'ann', roles: ['operator'] },
  action: 'tools.call',
  resource: { type: 'Tool', id: 'refund' },
  context: { agent: 'support', input: { amount: 50, currency: 'EUR' } },
  ...change,
})
const policy = (name: string, text: string) => ({ name, text, description: '' })

async function makePolicies() {
  const t = await makeDatabase()
  return { ...t, policies: openPolicies({ db: t.db, log: silentLog }) }
}

const limit = 'forbid (principal, action == Action::"tools.call", resource == Tool::"refund") when { context.input.amount > 100 };'

test('a policy forbids by arguments, and the refusal names it; everything else stays allowed', async () => {
  await using t = await makePolicies()
  expect(await t.policies.whyNot('acme', request())).toBe(undefined)
  await t.policies.put(boss, policy('refund-limit', limit))
  expect(await t.policies.whyNot('acme', request())).toBe(undefined)
  expect(await t.policies.whyNot('acme', request({ context: { input: { amount: 101 } } }))).toBe(
    'tools.call of Tool "refund" is forbidden by the policy refund-limit.',
  )
  expect(await t.policies.whyNot('acme', request({ resource: { type: 'Tool', id: 'search' }, context: {} }))).toBe(undefined)
  expect(await t.policies.whyNot('globex', request({ context: { input: { amount: 101 } } }))).toBe(undefined)
})

test.each<[string, string, Partial<PolicyRequest>]>([
  ['a role', 'forbid (principal in Role::"operator", action, resource);', {}],
  ['a name', 'forbid (principal, action, resource) when { principal.name like "a*" };', {}],
  [
    'an agent',
    'forbid (principal, action == Action::"runs.start", resource == Agent::"payroll");',
    { action: 'runs.start', resource: { type: 'Agent', id: 'payroll' } },
  ],
  ['who asked', 'forbid (principal, action, resource) when { !context.asker.personalData };', { context: { asker: { personalData: false } } }],
  ['the second of two statements', 'forbid (principal, action == Action::"x", resource);\nforbid (principal, action, resource);', {}],
])('a policy can be about %s', async (_, text, change) => {
  await using t = await makePolicies()
  await t.policies.put(boss, policy('rule', text))
  expect(await t.policies.whyNot('acme', request(change))).toMatch(/forbidden by the policy rule(#2)?\.$/)
  await t.policies.delete(boss, 'rule')
  expect(await t.policies.whyNot('acme', request(change))).toBe(undefined)
})

test('a policy that cannot be evaluated forbids, and says so', async () => {
  await using t = await makePolicies()
  await t.policies.put(boss, policy('refund-limit', limit))
  for (const context of [{}, { input: {} }, { input: { amount: 'much' } }, { input: { amount: 1e300 } }, { input: null }])
    expect(await t.policies.whyNot('acme', request({ context })), JSON.stringify(context)).toMatch(/refused: the policy refund-limit could not be evaluated/)
})

test('arguments cannot speak Cedar’s own language', async () => {
  await using t = await makePolicies()
  await t.policies.put(boss, policy('only-safe', 'forbid (principal, action, resource) unless { context.input.target == "safe" };'))
  const target = (value: unknown) => t.policies.whyNot('acme', request({ context: { input: { target: value } } }))
  expect(await target('safe')).toBe(undefined)
  for (const value of [{ __entity: { type: 'Tool', id: 'safe' } }, { __extn: { fn: 'ip', arg: '::1' } }, { __expr: '"safe"' }, ['safe'], 'safe\u0000', ' safe'])
    expect(await target(value), JSON.stringify(value)).toMatch(/only-safe/)
  let deep: unknown = 'safe'
  for (let i = 0; i < 100; i++) deep = [deep]
  expect(await target(deep)).toMatch(/nested too deeply/)
})

test('a text that is no policy, permits, or has slots is refused with the reason', async () => {
  await using t = await makePolicies()
  for (const [text, why] of [
    ['forbid (principal', /text: /],
    ['permit (principal, action, resource);', /Only `forbid` has an effect/],
    ['forbid (principal == ?principal, action, resource);', /Templates/],
    ['// nothing', /no policy in it/],
  ] as const)
    await expect(t.policies.put(boss, policy('bad', text))).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(why) })
  expect(await t.policies.list('acme')).toEqual([])
})

test('every change is a version; the newest is in force, also when two write at once', async () => {
  await using t = await makePolicies()
  await Promise.all(Array.from({ length: 5 }, () => t.policies.put(boss, policy('rule', limit))))
  expect((await t.policies.versions('acme', 'rule')).map(({ version, isActive }) => [version, isActive])).toEqual([5, 4, 3, 2, 1].map((n) => [n, n === 5]))
  const other = openPolicies({ db: t.db, log: silentLog }) // Another node, which has read already.
  const over = request({ context: { input: { amount: 101 } } })
  expect(await other.whyNot('acme', over)).toBeDefined()
  await t.policies.delete(boss, 'rule')
  expect(await t.policies.whyNot('acme', over)).toBe(undefined)
  await expect.poll(() => other.whyNot('acme', over), { timeout: 5_000 }).toBe(undefined)
  await expect(t.policies.delete(boss, 'rule')).rejects.toMatchObject({ code: 'not_found' })
  expect((await t.policies.put(boss, policy('rule', limit))).version).toBe(6)
})

test('what cannot be read is not decided: the question fails, it is not answered with yes', async () => {
  await using t = await makePolicies()
  await t.owner.rows(sql`revoke select on policies from longhaul_tenant`)
  await expect(t.policies.whyNot('acme', request())).rejects.toThrow('permission denied')
})

test('the tester tells what a draft would do, and changes nothing', async () => {
  await using t = await makePolicies()
  const draft = { name: 'draft', text: limit }
  const over = request({ context: { input: { amount: 101 } } })
  expect(await t.policies.test('acme', over)).toMatchObject({ isAllowed: true, policies: [] })
  expect(await t.policies.test('acme', over, draft)).toMatchObject({ isAllowed: false, policies: ['draft'], errors: [] })
  expect(await t.policies.test('acme', request(), draft)).toMatchObject({ isAllowed: true })
  await expect(t.policies.test('acme', over, { ...draft, text: 'x' })).rejects.toMatchObject({ code: 'invalid' })
  expect(await t.policies.list('acme')).toEqual([])
})

const mount = (isForEveryone: unknown, folder = 'sales') =>
  request({ action: 'sandboxes.mount', resource: { type: 'Folder', id: folder }, context: { agent: 'support', isForEveryone } })

test('what needs a policy that permits it is refused without one, and only that can be permitted', async () => {
  await using t = await makePolicies()
  const whyNot = (asked: PolicyRequest) => t.policies.whyNot('acme', asked)
  const silence = 'sandboxes.mount of Folder "sales" is refused: no policy permits it.'
  expect([await whyNot(mount(false)), await whyNot(mount(true))]).toEqual([silence, undefined])
  expect(await whyNot(mount(undefined))).toMatch(/could not be evaluated/)
  expect(await t.policies.judge('acme', mount(true))).toEqual({ isAsked: false, policies: [] })
  await t.policies.put(boss, policy('rule', limit)) // There are policies, and none is about it.
  expect([await whyNot(mount(false)), await whyNot(mount(true))]).toEqual([silence, undefined])
  await t.policies.put(boss, policy('sees', 'permit (principal == Key::"k1", action == Action::"sandboxes.mount", resource == Folder::"sales");'))
  expect(await t.policies.judge('acme', mount(false))).toEqual({ isAsked: true, policies: ['sees'] })
  expect(await whyNot(mount(false, 'hr'))).toMatch(/no policy permits it/)
  expect(await whyNot({ ...mount(false), principal: { id: 'k2', name: 'bob' } })).toBe(silence)
  expect(await t.policies.whyNot('globex', mount(false))).toBe(silence)
  await t.policies.put(boss, policy('never', 'forbid (principal, action == Action::"sandboxes.mount", resource);'))
  expect([await whyNot(mount(false)), await whyNot(mount(true))]).toEqual(Array(2).fill('sandboxes.mount of Folder "sales" is forbidden by the policy never.'))
  for (const text of [
    'permit (principal, action, resource); // not forbid',
    'permit (principal, action in [Action::"sandboxes.mount"], resource);',
    'permit (principal, action == Action::"tools.call", resource);',
    'permit (principal, action, resource) when { action == Action::"sandboxes.mount" };',
  ])
    await expect(t.policies.put(boss, policy('wide', text))).rejects.toThrow(/Only `forbid` has an effect/)
})

const asking = (annotations: string, name = 'asking') => policy(name, `${annotations}\n${limit}`)
const over = request({ context: { agent: 'support', input: { amount: 101 } } })

test('a policy says who may allow what it forbids, and policies together ask for what fulfils all of them', async () => {
  await using t = await makePolicies()
  await t.policies.put(boss, asking('@require("approval")'))
  expect(await t.policies.test('acme', over)).toMatchObject({ isAllowed: false, mayBeApproved: true })
  expect(await t.policies.test('acme', over)).not.toHaveProperty('rule')
  await t.policies.put(
    boss,
    asking('// so much\n@id("x")\n@approvers("2") @excludes_asker @require("approval")\n@approver_roles("administrator, approver") @escalate_after("1d12h")'),
  )
  const first = { approversMin: 2, excludesAsker: true, roles: ['administrator', 'approver'], escalateAfterMs: 36 * 3_600_000 }
  expect((await t.policies.judge('acme', over)).refusal).toMatchObject({ mayBeApproved: true, rule: first })
  await t.policies.put(boss, asking('@require("approval") @approvers("3") @approver_roles("approver") @escalate_after("2d")', 'more'))
  const both = { approversMin: 3, excludesAsker: true, roles: ['approver'], escalateAfterMs: 48 * 3_600_000 }
  expect((await t.policies.judge('acme', over)).refusal).toMatchObject({ mayBeApproved: true, rule: both })
  // Nobody is of both, or one of them forbids it to all.
  await t.policies.put(boss, asking('@require("approval") @approver_roles("administrator")', 'more'))
  await t.policies.put(boss, asking('@require("approval") @approver_roles("approver")', 'other'))
  expect((await t.policies.judge('acme', over)).refusal).toEqual({ why: expect.any(String), mayBeApproved: false })
  await t.policies.delete(boss, 'other')
  expect((await t.policies.judge('acme', over)).refusal).toMatchObject({ mayBeApproved: true })
  await t.policies.put(boss, asking('', 'other'))
  expect((await t.policies.judge('acme', over)).refusal).toMatchObject({ mayBeApproved: false })
})

test.each([
  ['@require("aproval")', /there is @require\("approval"\)/],
  ['@require', /there is @require\("approval"\)/],
  ['@approvers("2")', /belongs to @require\("approval"\)/],
  ['@require("approval") @aprovers("2")', /@aprovers is not known.*@approvers/],
  ['@require("approval") @constructor("2")', /@constructor is not known/],
  ['@require("approval") @approvers("two")', /@approvers has to be a whole number from 1 to 10.*"two"/],
  ['@require("approval") @approvers("0")', /@approvers: .*from 1 to 10/],
  ['@require("approval") @approvers("11")', /@approvers: .*from 1 to 10/],
  ['@require("approval") @approvers', /@approvers has to be/],
  ['@require("approval") @approver_roles("finance")', /@approver_roles: /],
  ['@require("approval") @approver_roles("viewer")', /may not decide approvals\. These may: administrator, approver/],
  ['@require("approval") @approver_roles("")', /@approver_roles: /],
  ['@require("approval") @excludes_asker("no")', /@excludes_asker has to be nothing/],
  ['@require("approval") @escalate_after("1h")', /@escalate_after: needs roles/],
  ['@require("approval") @approver_roles("approver") @escalate_after("soon")', /@escalate_after has to be a duration/],
  ['@require("approval") @approver_roles("approver") @escalate_after("")', /@escalate_after has to be a duration/],
  ['@require("approval") @approver_roles("approver") @escalate_after("400d")', /@escalate_after: .*from 1s to 366d/],
])('annotations that would have no effect, or another than it seems, are refused: %s', async (annotations, why) => {
  await using t = await makePolicies()
  await expect(t.policies.put(boss, asking(annotations))).rejects.toMatchObject({ code: 'invalid', message: expect.stringMatching(why) })
  expect(await t.policies.list('acme')).toEqual([])
})

test('a permit that seems to ask somebody is refused, and of what was put before annotations were read nothing is approved', async () => {
  await using t = await makePolicies()
  const permit = '@require("approval") permit (principal, action == Action::"sandboxes.mount", resource);'
  await expect(t.policies.put(boss, policy('folders', permit))).rejects.toThrow(/belongs to a `forbid`/)
  await t.policies.put(boss, asking('@require("approval") @approvers("2")'))
  await t.owner.rows(sql`update policies set text = replace(text, '"2"', '"two"')`)
  const elsewhere = openPolicies({ db: t.db, log: silentLog })
  expect((await elsewhere.judge('acme', over)).refusal).toEqual({ why: expect.any(String), mayBeApproved: false })
})
