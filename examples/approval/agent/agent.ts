import { durable, TerminalFailure, TimedOut, type Context } from '@longhaul/sdk'
import { z } from 'zod'
import { payOut, refundedBefore } from '../ledger.ts'

const Refund = z.strictObject({ order: z.string().min(1).max(40), amountUsd: z.number().positive().max(10_000), reason: z.string().max(500) })

const freeUntilUsd = 25
const day = 86_400_000

export default durable(
  'Refunds an order: at once when it is little, else once a person has agreed. Waits until the bank confirms.',
  async (ctx, input) => {
    const { success, data: refund, error } = Refund.safeParse(input)
    if (!success) throw new TerminalFailure(`This is not a refund: ${z.prettifyError(error)}`)

    // Both at once, each recorded on its own.
    const [earlierUsd, risk] = await ctx.all([
      (branch: Context) => branch.step('sum earlier refunds', () => refundedBefore(branch.dataDir, refund.order)),
      (branch: Context) => branch.step('rate the reason', () => (/gift|card|urgent/i.test(refund.reason) ? 'high' : 'low')),
    ])

    if (earlierUsd + refund.amountUsd > freeUntilUsd || risk === 'high') {
      try {
        const decision = await ctx.approval(`Refund $${refund.amountUsd} for order ${refund.order}?`, {
          detail: { ...refund, earlierUsd, risk },
          timeoutMs: 3 * day,
        })
        if (!decision.approved) return { state: 'refused', by: decision.by, comment: decision.comment }
        await ctx.sleep('time to change one’s mind', 5_000)
      } catch (failure) {
        if (failure instanceof TimedOut) return { state: 'refused', by: null, comment: 'Nobody answered within three days.' }
        throw failure
      }
    }

    // A step may execute twice when the worker dies at the wrong moment. The run's id makes sure that the money moves once.
    await ctx.step('pay out', () => payOut(ctx.dataDir, { key: ctx.run.id, order: refund.order, amountUsd: refund.amountUsd }))

    try {
      const confirmation = await ctx.waitForSignal('settled', { timeoutMs: 7 * day })
      return { state: 'settled', confirmation }
    } catch (failure) {
      if (failure instanceof TimedOut) return { state: 'paid', confirmation: null }
      throw failure
    }
  },
  { examples: ['{"order": "A-1001", "amountUsd": 120, "reason": "arrived broken"}'] },
)
