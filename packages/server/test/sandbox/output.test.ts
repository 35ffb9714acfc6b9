/** What a command wrote is there when its result is, whatever holds the server up meanwhile. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import { bwrapDriver } from '../../src/sandbox/drivers/bwrap/bwrap.ts'
import { claimRoot } from '../../src/sandbox/root.ts'
import { modes } from '../support/sandbox-modes.ts'
import { never } from '../support/sandbox-suite.ts'

const whyNot = modes.every(({ whyNot }) => whyNot !== undefined) ? 'bubblewrap does not work here' : undefined
if (whyNot) process.stderr.write(`SKIPPED: output while the server is held up: ${whyNot}.\n`)

/** Nothing of this process goes on meanwhile. */
const holdUp = (ms: number) => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)

test.skipIf(whyNot)('a server that reads nothing for longer than output may come after a command’s end loses none of it', async () => {
  const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-output-')))
  const driver = bwrapDriver({ root, log: silentLog })
  try {
    const sandbox = await driver.create({ id: 'one' })
    // From what the connection takes at once up to what fills it and the command's own pipe.
    for (const bytes of [200_000, 280_000, 320_000, 360_000]) {
      let isHeldUp = false
      const { stdout, exitCode, isTruncated } = await sandbox.exec(
        { script: `head -c ${bytes} /dev/zero | tr '\\0' x`, timeoutMs: 20_000 },
        {
          signal: never,
          outputBytesMax: 1_000_000,
          onOutput() {
            if (!isHeldUp) holdUp(600)
            isHeldUp = true
          },
        },
      )
      expect({ bytes: stdout.length, exitCode, isTruncated }).toEqual({ bytes, exitCode: 0, isTruncated: false })
    }
  } finally {
    await driver.stop()
    root.release()
    rmSync(root.path, { recursive: true })
  }
})
