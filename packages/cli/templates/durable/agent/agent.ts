import { TerminalFailure, durable } from '@longhaul/sdk'
import { z } from 'zod'

const Order = z.strictObject({ order: z.string().min(1).max(40), amountUsd: z.number().positive() })

export default durable(
  'Takes an order through payment and delivery.',
  async (ctx, input) => {
    const { success, data: order, error } = Order.safeParse(input)
    if (!success) throw new TerminalFailure(`This is not an order: ${z.prettifyError(error)}`)

    if (order.amountUsd > 100) {
      const { approved, by } = await ctx.approval(`Charge $${order.amountUsd} for order ${order.order}?`, { detail: order, timeoutMs: 3 * 86_400_000 })
      if (!approved) return { state: 'refused', by }
    }
    // The run's id is the same at every attempt: give it to the payment service as its idempotency key.
    const payment = await ctx.step('charge', () => ({ id: `payment-of-${ctx.run.id}`, amountUsd: order.amountUsd }), { retry: { attemptsMax: 10 } })
    await ctx.sleep('until it is settled', 5_000)
    await ctx.step('ship', () => ({ order: order.order }))
    return { state: 'shipped', payment: payment.id }
  },
  { examples: ['{"order": "A-7", "amountUsd": 120}'] },
)
