import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)

/**
 * Deletes a folder that hostile code may have filled, after every process that could change it is gone. `rm` walks by
 * descriptor, so depth does not matter (Node's own `rm` overflows); folders without rights are opened up first. Links are never followed.
 */
export async function removeTree(path: string): Promise<void> {
  if (process.platform === 'win32') return rm(path, { recursive: true, force: true })
  await run('rm', ['-rf', '--', path]).catch(async () => {
    await run('chmod', ['-R', 'u+rwX', '--', path]).catch(() => {}) // What remains closed makes the next line fail, which is reported.
    await run('rm', ['-rf', '--', path])
  })
}
