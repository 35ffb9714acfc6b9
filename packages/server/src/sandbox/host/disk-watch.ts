import { ProgramError, monotonicMs, runProgram } from '../../kernel/index.ts'
import type { SandboxLimits } from '../driver.ts'
import type { Tools } from './runtime.ts'

const opensMax = 5

export type DiskUse = { bytes: number; files: number }

/** Which limit a workspace has passed and is still growing over, or undefined: whoever cleans up is left in peace. */
export function passedLimit(before: DiskUse | undefined, now: DiskUse, limits: SandboxLimits): string | undefined {
  if (now.bytes > limits.diskBytesMax && before && now.bytes > before.bytes) {
    return `The workspace may hold ${Math.round(limits.diskBytesMax / 1024 / 1024)} MB and has more; the command that was filling it was ended. Delete files before you go on.`
  }
  if (now.files > limits.fileCountMax && before && now.files > before.files) {
    return `The workspace may hold ${limits.fileCountMax} files and has more; the command that was adding to it was ended. Delete files before you go on.`
  }
  return undefined
}

/**
 * Measures from outside, with `du`, which walks by descriptor and follows no link, whatever the tree does meanwhile.
 * `open` opens folders that the sandbox closed to hide what is in them; it runs inside, where links lead nowhere.
 */
export async function measureDisk(tools: Pick<Tools, 'du'>, folder: string, open: () => Promise<void>): Promise<DiskUse> {
  for (let tries = 0; ; tries++) {
    try {
      return { bytes: await du(tools, ['-B1', folder]), files: await du(tools, ['--inodes', folder]) }
    } catch (error) {
      // A command may close one folder after the other; one that does nothing else cannot be measured.
      if (!(error instanceof ClosedFolder) || tries === opensMax) throw error
      await open()
    }
  }
}

class ClosedFolder extends Error {
  override readonly name = 'ClosedFolder'
}

async function du(tools: Pick<Tools, 'du'>, args: string[]): Promise<number> {
  const options = { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, outputMax: 16 * 1024 * 1024 }
  try {
    return Number((await runProgram(tools.du, ['-s', '-x', ...args], options)).stdout.split('\t')[0])
  } catch (error) {
    if (error instanceof ProgramError && error.stderr.includes('Permission denied')) throw new ClosedFolder('', { cause: error })
    return countOf(error) // Files vanished while they were counted.
  }
}

/** `du` prints its sum even when it could not read everything. */
function countOf(error: unknown): number {
  const count = error instanceof ProgramError ? Number(error.stdout.split('\t')[0]) : Number.NaN
  if (Number.isNaN(count)) throw error
  return count
}

/** Time to the next measurement: often for small trees, and never more than a tenth of the time spent measuring. */
export function nextMeasureMs(startedMs: number): number {
  return Math.max(400, (monotonicMs() - startedMs) * 10)
}
