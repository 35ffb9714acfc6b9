/** Loaded into a server before anything else (`--import`): its wall clock is off by the milliseconds in `LONGHAUL_TEST_CLOCK_FILE`, which a test may change at any moment. The monotonic clock goes on, as when somebody sets a machine's time. */
import { readFileSync } from 'node:fs'

const file = process.env.LONGHAUL_TEST_CLOCK_FILE
delete process.env.LONGHAUL_TEST_CLOCK_FILE // No setting of the server's.
const RealDate = Date
let offsetMs = 0
const read = () => {
  try {
    offsetMs = Number(readFileSync(file, 'utf8')) || 0
  } catch {
    offsetMs = 0 // Nobody has set it yet.
  }
}
read()
setInterval(read, 50).unref()

globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + offsetMs] : args))
  }

  static now() {
    return RealDate.now() + offsetMs
  }
}
