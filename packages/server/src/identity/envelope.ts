/** Envelope encryption: a value under a key of its own, that key under the master key. AES-256-GCM; names are part of both, so nothing can be put in another's place. */
import { createCipheriv, createDecipheriv, createHash } from 'node:crypto'
import { AppError, secretBytes } from '../kernel/index.ts'

/** The others open what was sealed before the master key was changed. */
export type MasterKeys = { current: Buffer; previous?: Buffer | undefined; earlier?: readonly Buffer[] }
export type Sealed = { ciphertext: Buffer; wrappedKey: Buffer; masterKeyId: string }

const algorithm = 'aes-256-gcm'
const ivBytes = 12
const tagBytes = 16

/** Names a key without telling anything of it. */
export const keyIdOf = (key: Buffer): string => createHash('sha256').update('longhaul master key\n').update(key).digest('hex').slice(0, 16)

export function seal({ current }: MasterKeys, value: string, name: string): Sealed {
  const key = secretBytes(32)
  return { ciphertext: encrypt(key, Buffer.from(value), name), wrappedKey: encrypt(current, key, name), masterKeyId: keyIdOf(current) }
}

export const open = (keys: MasterKeys, { ciphertext, wrappedKey, masterKeyId }: Sealed, name: string): string =>
  decrypt(unwrap(keys, wrappedKey, masterKeyId, name), ciphertext, name).toString()

/** Under the current master key; the value itself is not touched. */
export const rewrap = (keys: MasterKeys, { wrappedKey, masterKeyId }: Omit<Sealed, 'ciphertext'>, name: string): Omit<Sealed, 'ciphertext'> => ({
  wrappedKey: encrypt(keys.current, unwrap(keys, wrappedKey, masterKeyId, name), name),
  masterKeyId: keyIdOf(keys.current),
})

function unwrap({ current, previous, earlier = [] }: MasterKeys, wrappedKey: Buffer, masterKeyId: string, name: string): Buffer {
  const master = [current, previous, ...earlier].find((key) => key && keyIdOf(key) === masterKeyId)
  if (!master)
    throw new AppError(
      'unavailable',
      `Secrets were encrypted with the master key ${masterKeyId}, which this server does not have. Give it in LONGHAUL_MASTER_KEY_PREVIOUS.`,
    )
  return decrypt(master, wrappedKey, name)
}

export function encrypt(key: Buffer, plain: Buffer, name: string): Buffer {
  const iv = secretBytes(ivBytes)
  const cipher = createCipheriv(algorithm, key, iv).setAAD(Buffer.from(name))
  return Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()])
}

export function decrypt(key: Buffer, sealed: Buffer, name: string): Buffer {
  try {
    const decipher = createDecipheriv(algorithm, key, sealed.subarray(0, ivBytes), { authTagLength: tagBytes }).setAAD(Buffer.from(name))
    decipher.setAuthTag(sealed.subarray(-tagBytes))
    return Buffer.concat([decipher.update(sealed.subarray(ivBytes, -tagBytes)), decipher.final()])
  } catch (cause) {
    throw new AppError('unavailable', `The secret ${name} was changed outside of Longhaul and cannot be read. Set it again.`, cause)
  }
}
