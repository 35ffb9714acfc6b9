/** One suite over every driver: the virtual one, which stands in where nothing else works, and the real ones in each way they run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import { virtualDriver } from '../../src/sandbox/drivers/virtual/virtual.ts'
import { claimRoot } from '../../src/sandbox/root.ts'
import { everyMode, startDriver } from '../support/sandbox-modes.ts'
import { testDriver } from '../support/sandbox-suite.ts'

for (const mode of everyMode()) {
  describe(mode.name, () => {
    testDriver(async () => {
      const driver = await startDriver(mode)
      return { create: driver.create, stop: () => driver[Symbol.asyncDispose]() }
    })
  })
}

describe('virtual', () => {
  testDriver(async () => {
    const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-virtual-')))
    const driver = virtualDriver({ root, log: silentLog })
    return {
      create: driver.create,
      async stop() {
        await driver.stop()
        root.release()
        rmSync(root.path, { recursive: true })
      },
    }
  })
})
