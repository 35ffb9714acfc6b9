import { tool } from '@longhaul/sdk'
import { z } from 'zod'
import { cancelOrder } from '../orders.ts'

export default tool({
  description: 'Cancels an open order. A person has to agree first.',
  input: z.strictObject({ order: z.number().int() }),
  async run({ order }, ctx) {
    const { approved, by, comment } = await ctx.approval(`Cancel order ${order}?`, { detail: { order, askedBy: ctx.asker.name } })
    if (!approved) return { cancelled: false, by, comment }
    // Recorded once: after a crash the order is not cancelled again.
    return ctx.step('cancel the order', () => ({ cancelled: true, by, ...cancelOrder(order) }))
  },
})
