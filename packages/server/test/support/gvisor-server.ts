/** A process with a gVisor driver, for tests that kill it: makes a sandbox and runs what it was given in it. */
import { silentLog } from '../../src/kernel/index.ts'
import { gvisorDriver } from '../../src/sandbox/drivers/gvisor/gvisor.ts'
import { claimRoot } from '../../src/sandbox/root.ts'

const [, , path = '', script = ''] = process.argv
const driver = gvisorDriver({ root: claimRoot(path), log: silentLog })
const sandbox = await driver.create({ id: 'survivor' })
await sandbox.exec({ script, timeoutMs: 60_000 }, { signal: new AbortController().signal })
