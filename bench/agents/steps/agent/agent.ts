import { durable } from '@longhaul/sdk'

type Input = { count: number; bytes: number; isTimed: boolean }

/** Steps one after the other with results of a given size; timed, each by the clock of the worker. */
export default durable('Takes as many steps as it is told.', async (ctx, input) => {
  const { count, bytes, isTimed } = input as Input
  const result = 'x'.repeat(bytes)
  const tookMs: number[] = []
  for (let i = 0; i < count; i++) {
    const from = isTimed ? performance.now() : 0
    await ctx.step('work', () => result)
    if (isTimed) tookMs.push(performance.now() - from)
  }
  return tookMs
})
