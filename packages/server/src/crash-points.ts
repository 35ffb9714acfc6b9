/**
 * For crash tests: ends this process at a point that a test has chosen, as a loss of power would.
 *
 * The test writes a point and a count into `file`, such as `flush.after 3`: the process ends at the third passing from then on. So one start serves
 * for the end of one case and the beginning of the next. What was passed is listed in `<file>.passed`, by which a test knows what there is to choose.
 */
import { appendFileSync, readFileSync, rmSync } from 'node:fs'
import { type CrashPoint, armProbe } from './kernel/index.ts'

export function armCrashPoints(file: string): void {
  let order: string | undefined
  let left = 0
  armProbe((point: CrashPoint) => {
    appendFileSync(`${file}.passed`, `${point}\n`)
    const given = readOrder(file)
    if (given !== order) {
      order = given
      left = Number(given?.split(' ')[1])
    }
    if (order?.split(' ')[0] !== point || --left > 0) return
    rmSync(file) // The next life must not end at the same point.
    process.kill(process.pid, 'SIGKILL')
  })
}

function readOrder(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return undefined // Nothing is chosen.
  }
}
