import { durable } from '@longhaul/sdk'

/** Two events every 40 ms: a step that begins and one that ends. */
export default durable('Ticks.', async (ctx, input) => {
  const { count } = input as { count: number }
  for (let i = 0; i < count; i++) await ctx.step('tick', () => new Promise<void>((resolve) => setTimeout(resolve, 36)))
  return count
})
