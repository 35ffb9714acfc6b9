import { durable } from '@longhaul/sdk'

/** Reads what it is given, in its sandbox and by its own code. */
export default durable('Counts the lines of files.', async (ctx) => {
  if (ctx.attachments.length === 0)
    return { text: 'No file came along.', parts: [], model: 'clerk/none', usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 } }
  const counted = await ctx.sandbox.exec({ script: 'wc -l attachments/*' })
  const [first] = ctx.attachments
  const head = first ? Buffer.from(await ctx.sandbox.readFile(first.path, 4)).toString('latin1') : ''
  return {
    text: `${counted.stdout}\n\nThe first begins with ${JSON.stringify(head)}.`,
    parts: [],
    model: 'clerk/none',
    usage: { input: 0, cachedInput: 0, output: 0, costUsd: 0 },
  }
})
