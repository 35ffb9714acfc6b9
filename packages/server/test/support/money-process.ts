/**
 * A node that does nothing but admit and settle, to be killed: `money-process.ts <database url> <callers>`. Its provider bills each call in a table of its own, at once and for good,
 * whatever becomes of this process. Ends by itself when the budget is used up, with 0.
 */
import { openDb, sql } from '../../src/db/index.ts'
import { noTokens, openMoney } from '../../src/gateway/money/index.ts'
import { silentLog } from '../../src/kernel/index.ts'
import { callOf } from './money-calls.ts'

const [url = '', callers = '1'] = process.argv.slice(2)
const db = openDb({ url, log: silentLog, poolMax: 6 })
const money = openMoney({ db, log: silentLog, leaseMs: 1_000, sweepMs: 50 })
await money.start()

let next = 0
await Promise.all(
  Array.from({ length: Number(callers) }, async (_, caller) => {
    for (;;) {
      const admission = await money.admit(callOf({ agent: `agent-${caller % 3}`, mayClamp: false }))
      if (!admission.isAdmitted) {
        if (admission.refusal.reason === 'exhausted') return
        continue
      }
      const { reservation } = admission
      if (next++ % 7 === 6) {
        await money.settle(reservation, { type: 'never-happened' })
        continue
      }
      const output = 10 + (next % 50)
      await db.rows(sql`insert into provider_meter (id, cost) values (${reservation.id}, ${50 * 1_000 + output * 10_000})`)
      await money.settle(reservation, { type: 'used', tokens: { ...noTokens, input: 50, output } })
    }
  }),
)
await money.stop()
await db.stop()
