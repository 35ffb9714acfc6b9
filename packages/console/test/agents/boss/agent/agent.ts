import { durable } from '@longhaul/sdk'

/** Has another agent do it, which asks a person first. */
export default durable('Hands refunds on.', async (ctx, input) => {
  const end = await ctx.call('approval', input)
  return end.state
})
