import { expect, test } from 'vitest'
import { hashRecoveryCode, makeRecoveryCodes, makeTotpSecret, totpAt, totpSlice, totpUri } from './totp.ts'

/** RFC 6238, appendix B, in six digits. The secret is the ASCII text 12345678901234567890. */
const vectors: [seconds: number, code: string][] = [
  [59, '287082'],
  [1_111_111_109, '081804'],
  [1_111_111_111, '050471'],
  [1_234_567_890, '005924'],
  [2_000_000_000, '279037'],
  [20_000_000_000, '353130'],
]
const secret = 'GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ'

test.each(vectors)('at second %s the code is %s', (seconds, code) => {
  expect(totpAt(secret, Math.floor(seconds / 30))).toBe(code)
  expect(totpSlice(secret, code, new Date(seconds * 1_000))).toBe(Math.floor(seconds / 30))
})

test('a clock may be off by half a minute either way, and no more', () => {
  const at = new Date(1_000_000 * 30_000)
  const found = [-2, -1, 0, 1, 2].map((off) => totpSlice(secret, totpAt(secret, 1_000_000 + off), at))
  expect(found).toEqual([undefined, 999_999, 1_000_000, 1_000_001, undefined])
})

test('secrets and recovery codes are each new, and read as they were meant', () => {
  expect(makeTotpSecret()).toMatch(/^[A-Z2-7]{32}$/)
  expect(makeTotpSecret()).not.toBe(makeTotpSecret())
  const codes = makeRecoveryCodes()
  expect(new Set(codes).size).toBe(10)
  for (const code of codes) expect(code).toMatch(/^([a-z2-7]{4}-){3}[a-z2-7]{4}$/)
  expect(hashRecoveryCode('ABCD efgh-2345-6723')).toEqual(hashRecoveryCode('abcd-efgh-2345-6723'))
  expect(totpUri(secret, 'ada@example.com', 'Longhaul')).toBe(
    `otpauth://totp/Longhaul:ada%40example.com?secret=${secret}&issuer=Longhaul&algorithm=SHA1&digits=6&period=30`,
  )
})
