import { expect, test } from 'vitest'
import { defaultLimits } from '../limits.ts'
import { passedLimit } from './disk-watch.ts'

const limits = { ...defaultLimits, diskBytesMax: 1_000, fileCountMax: 10 }
const use = (bytes: number, files: number) => ({ bytes, files })

test('growing past a limit is noticed, for bytes and for files', () => {
  expect(passedLimit(use(900, 5), use(1_001, 5), limits)).toContain('MB')
  expect(passedLimit(use(900, 10), use(900, 11), limits)).toContain('10 files')
})

test('using all that is allowed is fine', () => {
  expect(passedLimit(use(900, 9), use(1_000, 10), limits)).toBeUndefined()
})

test('whoever deletes in a full workspace is left in peace, also without knowing where it started', () => {
  expect(passedLimit(use(5_000, 50), use(4_000, 40), limits)).toBeUndefined()
  expect(passedLimit(use(5_000, 50), use(5_000, 50), limits)).toBeUndefined()
  expect(passedLimit(undefined, use(5_000, 50), limits)).toBeUndefined()
})
