import { durable } from '@longhaul/sdk'

/** Reads from outside, in vain, and keeps what it is told to: what it keeps has the label of what it read. */
export default durable('Keeps what it is told.', async (ctx, input) => {
  const { facts, reads } = input as { facts: { text: string; name?: string; kind?: 'fact' | 'episode' }[]; reads?: string }
  if (reads !== undefined) await ctx.tool('fetch_page', { url: reads }).catch(() => undefined)
  for (const fact of facts) await ctx.tool('remember', fact)
  return facts.length
})
