import { expect, test } from 'vitest'
import { type OwnerPolicies, chooseDriverFor } from './policy.ts'

const bwrap = { driver: 'bwrap', kernel: 'shared' } as const
const gvisor = { driver: 'gvisor', kernel: 'own' } as const
const virtual = { driver: 'virtual', kernel: 'none' } as const
const owner = { tenantId: 'acme' }
const stranger: OwnerPolicies = { tenant: {}, namespace: {}, sharesKernel: false }
const friend: OwnerPolicies = { ...stranger, sharesKernel: true }

test('a tenant that nobody has trusted never gets a kernel that others share; one that is trusted does', () => {
  expect(chooseDriverFor(owner, [bwrap, gvisor, virtual], friend, {})).toBe('bwrap')
  expect(chooseDriverFor(owner, [bwrap, gvisor, virtual], stranger, {})).toBe('gvisor')
  expect(chooseDriverFor(owner, [bwrap, gvisor], { ...stranger, tenant: { sharedKernel: true } }, {})).toBe('bwrap')
  expect(chooseDriverFor(owner, [bwrap, gvisor], { ...friend, tenant: { sharedKernel: false } }, {})).toBe('gvisor')
  // Neither by asking, nor because it was there before, nor by naming it as the default.
  expect(() => chooseDriverFor(owner, [bwrap, gvisor], stranger, { wanted: 'bwrap' })).toThrow(/may not run in bwrap: it shares the host’s kernel/)
  expect(chooseDriverFor(owner, [bwrap, gvisor], stranger, { preferred: 'bwrap' })).toBe('gvisor')
  expect(() => chooseDriverFor(owner, [bwrap, gvisor], { ...stranger, tenant: { driver: 'bwrap' } }, {})).toThrow(/shares the host’s kernel/)
})

test('where the server has nothing that a tenant may use, that is said, with what to do', () => {
  expect(() => chooseDriverFor(owner, [bwrap], stranger, {})).toThrow(
    /bwrap: it shares[^]*LONGHAUL_SANDBOX_DRIVERS=gvisor[^]*tenants update acme --shared-kernel allow/,
  )
  expect(() => chooseDriverFor(owner, [bwrap], { ...friend, tenant: { driver: 'gvisor' } }, {})).toThrow(
    /does not offer it. Name it in LONGHAUL_SANDBOX_DRIVERS/,
  )
  expect(chooseDriverFor(owner, [bwrap], friend, {})).toBe('bwrap')
})

test('drivers that the operator names are the only ones; the first wish that is allowed is taken', () => {
  const only: OwnerPolicies = { ...friend, tenant: { drivers: ['gvisor', 'virtual'] } }
  expect(chooseDriverFor(owner, [bwrap, gvisor, virtual], only, {})).toBe('gvisor')
  expect(chooseDriverFor(owner, [bwrap, gvisor, virtual], only, { wanted: 'virtual' })).toBe('virtual')
  expect(() => chooseDriverFor(owner, [bwrap, gvisor, virtual], only, { wanted: 'bwrap' })).toThrow(/allows this tenant gvisor, virtual/)
  expect(chooseDriverFor(owner, [bwrap, gvisor], { ...friend, tenant: { driver: 'gvisor' } }, {})).toBe('gvisor')
  expect(chooseDriverFor(owner, [bwrap, gvisor], { ...friend, tenant: { driver: 'gvisor' } }, { preferred: 'bwrap' })).toBe('bwrap')
})

test('a namespace can forbid more than its tenant, and never allow more', () => {
  const inside = (namespace: OwnerPolicies['namespace'], rest = friend) => chooseDriverFor(owner, [bwrap, gvisor, virtual], { ...rest, namespace }, {})
  expect(inside({ sharedKernel: false })).toBe('gvisor')
  expect(inside({ driver: 'virtual' })).toBe('virtual')
  expect(inside({ sharedKernel: true }, stranger)).toBe('gvisor')
  expect(() => inside({ drivers: ['bwrap'] }, stranger)).toThrow(/cannot run on this server/)
})
