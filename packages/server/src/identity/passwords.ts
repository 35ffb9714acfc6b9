/** Passwords: argon2id with the parameters that OWASP names, in the usual text form, so that they can be raised later. */
import { argon2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { secretBytes } from '../kernel/index.ts'

const derive = promisify(argon2)
const now = { memory: 19_456, passes: 2, parallelism: 1 }
const tagLength = 32
const shape = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([\w+/]+)\$([\w+/]+)$/

export async function hashPassword(password: string): Promise<string> {
  const nonce = secretBytes(16)
  const tag = await derive('argon2id', { message: normal(password), nonce, tagLength, ...now })
  return `$argon2id$v=19$m=${now.memory},t=${now.passes},p=${now.parallelism}$${base64(nonce)}$${base64(tag)}`
}

/** Without a hash it takes as long and is false: how long an answer takes does not tell who there is. */
export async function isPassword(password: string, hash: string | null): Promise<boolean> {
  const [, memory, passes, parallelism, nonce = '', tag = ''] = shape.exec(hash ?? '') ?? []
  if (memory === undefined) {
    await derive('argon2id', { message: normal(password), nonce: Buffer.alloc(16), tagLength, ...now })
    return false
  }
  const wanted = Buffer.from(tag, 'base64')
  const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) }
  const found = await derive('argon2id', { message: normal(password), nonce: Buffer.from(nonce, 'base64'), tagLength: wanted.length, ...cost })
  return timingSafeEqual(found, wanted)
}

/** Beyond its length: what whoever knows the address would try first. */
export function whyNotPassword(password: string, email: string): string | undefined {
  const plain = password.toLowerCase()
  if (new Set(plain).size < 5) return 'The password is the same few characters again and again. Take several words.'
  const [name = ''] = email.split('@')
  if (plain.includes(email) || (name.length > 3 && plain.replace(name, '').length < 6))
    return 'The password is little more than the e-mail address. Take several words.'
  return undefined
}

/** The same letters may be typed as different code points. */
const normal = (password: string): string => password.normalize('NFKC')
const base64 = (bytes: Buffer): string => bytes.toString('base64').replaceAll('=', '')
