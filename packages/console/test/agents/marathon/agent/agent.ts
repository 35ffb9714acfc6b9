import { setTimeout as sleep } from 'node:timers/promises'
import { durable } from '@longhaul/sdk'

const stepCount = 12

/** Long enough to be interrupted in the middle, short enough to be waited for. */
export default durable('Walks twelve stages, one after the other.', async (ctx) => {
  let stages = 0
  for (let i = 1; i <= stepCount; i++) {
    stages += await ctx.step(`stage ${i}`, async () => {
      await sleep(400)
      return 1
    })
  }
  return `Arrived after ${stages} stages.`
})
