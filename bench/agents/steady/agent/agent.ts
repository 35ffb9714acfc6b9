import { durable } from '@longhaul/sdk'

const seen = new Set<string>()

/** A step a second for as long as it lives. The first of a process ends at once, so that what is recorded tells when the run was at work there. */
export default durable('Is always in the middle of a step.', async (ctx) => {
  for (;;)
    await ctx.step('work', async () => {
      if (!seen.has(ctx.run.id)) return void seen.add(ctx.run.id)
      await new Promise((resolve) => setTimeout(resolve, 1_000))
    })
})
