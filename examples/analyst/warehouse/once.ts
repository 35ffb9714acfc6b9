import { mkdir, open, rename, rm, stat, utimes } from 'node:fs/promises'
import { dirname } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A maker renews its claim this often; one that did not for ten times as long is taken for dead. */
const beatMs = 1_000

/**
 * Makes a file exactly once, however many processes ask for it: one makes it under another name and renames it when it is whole, the others wait. If the
 * maker dies, another takes over. Even two makers at once do no harm, since a rename replaces whole files.
 */
export async function makeOnce(path: string, make: (unfinished: string) => Promise<void>): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  while (!(await exists(path))) {
    const claim = `${path}.claim`
    if (await claimed(claim)) {
      const beat = setInterval(() => void utimes(claim, new Date(), new Date()).catch(() => {}), beatMs) // A claim that is gone needs no renewal.
      const unfinished = `${path}.${process.pid}.${process.hrtime.bigint().toString(36)}.unfinished`
      try {
        // It may have been finished between the look and the claim.
        if (await exists(path)) return
        await make(unfinished)
        await rename(unfinished, path)
      } finally {
        clearInterval(beat)
        await rm(unfinished, { force: true })
        await rm(claim, { force: true })
      }
    } else if (await isStale(claim)) await rm(claim, { force: true })
    else await sleep(50)
  }
}

const exists = async (path: string): Promise<boolean> => (await modifiedAt(path)) !== undefined

async function claimed(claim: string): Promise<boolean> {
  try {
    await (await open(claim, 'wx')).close()
    return true
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false
    throw error
  }
}

async function isStale(claim: string): Promise<boolean> {
  const at = await modifiedAt(claim)
  return at !== undefined && Date.now() - at > 10 * beatMs
}

async function modifiedAt(path: string): Promise<number | undefined> {
  try {
    return (await stat(path)).mtimeMs
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined
    throw error
  }
}

const hasCode = (error: unknown, code: string): boolean => error instanceof Error && 'code' in error && error.code === code
