import type { DataAccess } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { audienceOf } from './audience.ts'

test.each<[string, DataAccess, string | undefined]>([
  ['everything', { personalData: true }, undefined],
  ['some regions', { regions: ['EMEA'], personalData: true }, 'k'],
  ['no personal data', { personalData: false }, 'k'],
  ['some regions and no personal data', { regions: ['EMEA'], personalData: false }, 'k'],
])('a key that may see %s reads as it should', (_, access, askerId) => {
  expect(audienceOf('acme', { id: 'k', access })).toEqual({ tenantId: 'acme', askerId })
})
