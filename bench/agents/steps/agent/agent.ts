import { durable } from '@longhaul/sdk'

type Input = { count: number; bytes: number; isTimed: boolean; waits?: boolean }

/** Steps one after the other with results of a given size; timed, each by the clock of the worker. Perhaps a signal after them, and a last step. */
export default durable('Takes as many steps as it is told.', async (ctx, input) => {
  const { count, bytes, isTimed, waits = false } = input as Input
  const result = 'x'.repeat(bytes)
  const tookMs: number[] = []
  for (let i = 0; i < count; i++) {
    const from = isTimed ? performance.now() : 0
    await ctx.step('work', () => result)
    if (isTimed) tookMs.push(performance.now() - from)
  }
  if (!waits) return tookMs
  const kept = isTimed ? await ctx.step('times', () => tookMs) : null
  await ctx.waitForSignal('go')
  await ctx.step('on', () => null)
  return kept
})
