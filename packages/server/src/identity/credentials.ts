/** The key of this machine, in a file that only its owner may read. The command line on the same machine finds it there. */
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Keys } from './keys.ts'

const Credentials = z.object({ url: z.string(), key: z.string() })
export type Credentials = z.infer<typeof Credentials>

export const defaultTenantId = 'default'

/**
 * Makes the file say where this server is, with a key that works: the one it has, or a new one when there is none, it was revoked,
 * or the database is another. `isNew` tells which.
 */
export async function firstKey({ keys, dataDir, url }: { keys: Keys; dataDir: string; url: string }): Promise<Credentials & { file: string; isNew: boolean }> {
  const file = join(dataDir, 'credentials.json')
  const found = await read(file)
  const isGood = found !== undefined && (await keys.authenticate(found.key)) !== undefined
  const key = isGood
    ? found.key
    : (
        await keys.createFirst(defaultTenantId, {
          name: 'administrator',
          role: 'administrator',
          permissions: ['tenants:manage'],
          access: { personalData: true },
        })
      ).secret
  await write(file, { url, key })
  return { url, key, file, isNew: !isGood }
}

async function read(file: string): Promise<Credentials | undefined> {
  try {
    return Credentials.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return undefined // Absent, cut off, or not ours: a new one is made, which is all that could be done about it.
  }
}

/** Readers see the old file or the new one, never half of one, and nobody else sees either. */
async function write(file: string, credentials: Credentials): Promise<void> {
  const draft = `${file}.${process.pid}`
  await rm(draft, { force: true })
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(credentials, null, 2)}\n`)
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(draft, file)
}
