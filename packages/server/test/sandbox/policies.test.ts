/** Which driver a tenant's own sandboxes get, with real ones: the kernel inside says whose it is. */
import { release } from 'node:os'
import { describe, expect, test } from 'vitest'
import type { OwnerPolicies } from '../../src/sandbox/policy.ts'
import { create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { gvisor, usableModes } from '../support/sandbox-modes.ts'

const isReal = usableModes().length > 0 && gvisor.whyNot === undefined

describe.skipIf(!isReal)('bwrap and gvisor side by side', () => {
  test('a stranger gets a kernel of its own; whoever is trusted shares the host’s, until it is trusted no more', async () => {
    const policies = new Map<string, OwnerPolicies>([['friend', { tenant: {}, namespace: {}, sharesKernel: true }]])
    await using bed = await openManagedBed({
      ...{ driver: 'bwrap', others: ['gvisor'] },
      policiesOf: async ({ tenantId }) => policies.get(tenantId) ?? { tenant: {}, namespace: {}, sharesKernel: false },
    })
    const [friend, stranger] = [makeCaller('friend'), makeCaller('stranger')]
    const shared = await create(bed, friend, { name: 'work' })
    const own = await create(bed, stranger, { name: 'work' })
    expect([shared, own]).toMatchObject([
      { driver: 'bwrap', kernel: 'shared' },
      { driver: 'gvisor', kernel: 'own' },
    ])
    expect((await script(bed, friend, 'work', 'uname -r; echo kept > note')).stdout.trim()).toBe(release())
    expect((await script(bed, stranger, 'work', 'uname -r')).stdout.trim()).not.toBe(release())
    await expect(create(bed, stranger, { driver: 'bwrap' })).rejects.toMatchObject({
      code: 'not_offered',
      message: expect.stringMatching(/shares the host’s kernel/),
    })
    expect(await create(bed, friend, { driver: 'gvisor' })).toMatchObject({ driver: 'gvisor' })

    policies.delete('friend')
    await expect(script(bed, friend, 'work', 'true')).rejects.toMatchObject({
      code: 'not_offered',
      message: expect.stringMatching(/Release it, longhaul sandboxes release/),
    })
    await bed.service.release(friend, 'work')
    const { stdout } = await script(bed, friend, 'work', 'uname -r; cat note')
    expect(stdout).not.toContain(release())
    expect(stdout).toContain('kept')
    expect(await bed.service.get(friend, 'work')).toMatchObject({ driver: 'gvisor', kernel: 'own' })
  })
})
