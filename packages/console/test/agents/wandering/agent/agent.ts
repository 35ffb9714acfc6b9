import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { durable } from '@longhaul/sdk'

/** Its code depends on a file, which durable code must not: once `detour` is there it asks for another step than it did before. */
export default durable('Takes the road, or the detour.', async (ctx) => {
  const road = existsSync(join(ctx.dataDir, 'detour')) ? 'take the detour' : 'take the road'
  await ctx.step(road, () => ctx.dataDir)
  await ctx.waitForSignal('go')
  return `It did ${road}.`
})
