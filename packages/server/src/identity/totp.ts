/** One-time passwords of authenticators (RFC 6238: SHA-1, six digits, 30 seconds, which all of them speak) and recovery codes. Pure. */
import { createHash, createHmac } from 'node:crypto'
import { secretBytes } from '../kernel/index.ts'

const sliceMs = 30_000
const digits = 6
const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
export const recoveryCodeCount = 10

export const makeTotpSecret = (): string => base32(secretBytes(20))

export function totpUri(secret: string, account: string, issuer: string): string {
  const query = new URLSearchParams({ secret, issuer, algorithm: 'SHA1', digits: String(digits), period: '30' })
  return `otpauth://totp/${encodeURIComponent(issuer)}:${encodeURIComponent(account)}?${query}`
}

export function totpAt(secret: string, slice: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(slice))
  const mac = createHmac('sha1', fromBase32(secret)).update(counter).digest()
  const at = mac.readUInt8(mac.length - 1) & 0xf
  return String((mac.readUInt32BE(at) & 0x7fff_ffff) % 10 ** digits).padStart(digits, '0')
}

/** The slice of time that the code is of: the present one, or one beside it for clocks that are off. Undefined: of none. */
export function totpSlice(secret: string, code: string, at: Date): number | undefined {
  const present = Math.floor(at.getTime() / sliceMs)
  return [present, present - 1, present + 1].find((slice) => totpAt(secret, slice) === code)
}

/** 80 random bits each, so that a plain hash of them cannot be guessed back. */
export const makeRecoveryCodes = (): string[] =>
  Array.from({ length: recoveryCodeCount }, () => base32(secretBytes(10)).toLowerCase().match(/.{4}/g)?.join('-') ?? '')

export const hashRecoveryCode = (code: string): Buffer =>
  createHash('sha256')
    .update(code.toLowerCase().replaceAll(/[^a-z0-9]/g, ''))
    .digest()

function base32(bytes: Buffer): string {
  const bits = [...bytes].map((byte) => byte.toString(2).padStart(8, '0')).join('')
  return (bits.match(/.{5}/g) ?? []).map((five) => alphabet[Number.parseInt(five, 2)]).join('') // Lengths here are multiples of 40 bits.
}

function fromBase32(text: string): Buffer {
  const bits = [...text].map((letter) => alphabet.indexOf(letter).toString(2).padStart(5, '0')).join('')
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((eight) => Number.parseInt(eight, 2)))
}
