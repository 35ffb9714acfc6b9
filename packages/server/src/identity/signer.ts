/** Keys of this installation, in files that only their owner may read, made at the first start. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { type FileHandle, link, mkdir, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { AppError, newId } from '../kernel/index.ts'

export type Signer = {
  /** SPKI in base64, for whoever verifies elsewhere. */
  publicKey: string
  sign(text: string): string
  isSigned(text: string, signature: string): boolean
}

/** Ed25519. Losing the file loses no entry: older heads are then verified by the public key that they carry. */
export async function openSigner(dataDir: string): Promise<Signer> {
  const pem = await readOrMake(join(dataDir, 'audit-key.pem'), () =>
    generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  )
  const key = createPrivateKey(pem)
  const spki = createPublicKey(key)
  return {
    publicKey: spki.export({ type: 'spki', format: 'der' }).toString('base64'),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64'),
    isSigned: (text, signature) => verify(null, Buffer.from(text), spki, Buffer.from(signature, 'base64')),
  }
}

/** What the file holds; when there is none, what `make` makes, written with mode 600. Of two that make it at once, one wins and both read the same. */
export async function readOrMake(file: string, make: () => string): Promise<string> {
  const found = await readKeyFile(file)
  if (found !== undefined) return found
  const draft = `${file}.${newId()}`
  const handle = await openDraft(draft)
  try {
    await handle.writeFile(make())
    await handle.sync()
  } finally {
    await handle.close()
  }
  await link(draft, file).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error // Somebody was faster: theirs counts.
  })
  await rm(draft)
  return (await readKeyFile(file)) ?? ''
}

/** With a database elsewhere nobody has made the data folder yet. */
async function openDraft(draft: string): Promise<FileHandle> {
  try {
    await mkdir(dirname(draft), { recursive: true, mode: 0o700 })
    return await open(draft, 'wx', 0o600)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : cause
    throw new AppError('unavailable', `${dirname(draft)} cannot be used: ${why}. Set LONGHAUL_DATA_DIR to a folder that can be written.`, cause)
  }
}

/** Undefined when there is none. */
export async function readKeyFile(file: string): Promise<string | undefined> {
  const found = await stat(file).catch(() => undefined) // Absent: the first start.
  if (!found) return undefined
  if ((found.mode & 0o077) !== 0) throw new AppError('unavailable', `${file} can be read by others than its owner. Run: chmod 600 ${file}`)
  return readFile(file, 'utf8')
}
