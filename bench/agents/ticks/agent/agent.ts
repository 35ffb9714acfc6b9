import { durable } from '@longhaul/sdk'

/** Some 50 events a second: each is a step that ended. */
export default durable('Ticks.', async (ctx, input) => {
  const { count } = input as { count: number }
  for (let i = 0; i < count; i++) await ctx.step('tick', () => new Promise<void>((resolve) => setTimeout(resolve, 17)))
  return count
})
