import { rm } from 'node:fs/promises'
import { runProgram } from '../kernel/index.ts'

/**
 * Deletes a folder that hostile code may have filled, after every process that could change it is gone. `rm` walks by
 * descriptor, so depth does not matter (Node's own `rm` overflows); folders without rights are opened up first. Links are never followed.
 */
export async function removeTree(path: string): Promise<void> {
  if (process.platform === 'win32') return rm(path, { recursive: true, force: true })
  await runProgram('rm', ['-rf', '--', path]).catch(async () => {
    await runProgram('chmod', ['-R', 'u+rwX', '--', path]).catch(() => {}) // What remains closed makes the next line fail, which is reported.
    await runProgram('rm', ['-rf', '--', path])
  })
}
