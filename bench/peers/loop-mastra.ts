/** Mastra's agent. Its steps are kept nowhere: what it stores of a conversation it stores at the end. `node loop-mastra.ts <packages>` */
import { importFrom } from './install.ts'
import { type Script, languageModel, serveLoop } from './loop.ts'

type Agent = { generate(prompt: string, options: object): Promise<{ text: string }> }
type Zod = { object(shape: object): object; number(): object }

const [, , folder = ''] = process.argv
const { Agent } = await importFrom<{ Agent: new (options: object) => Agent }>(folder, '@mastra/core/agent')
const { createTool } = await importFrom<{ createTool(options: object): object }>(folder, '@mastra/core/tools')
const { z } = await importFrom<{ z: Zod }>(folder, 'zod')
const scripts = new Map<string, Script>()
const note = createTool({
  id: 'note',
  description: 'Notes a number.',
  inputSchema: z.object({ n: z.number() }),
  execute: async ({ n }: { n: number }) => ({ noted: n }),
})
const agent = new Agent({ id: 'loop', name: 'loop', instructions: 'Do what is asked.', model: languageModel(scripts), tools: { note } })

serveLoop(async (id, script) => {
  scripts.set(id, script)
  const { text } = await agent.generate(id, { maxSteps: 1_000 })
  if (text !== 'Done.') throw new Error(`It ended with ${JSON.stringify(text)}.`)
  scripts.delete(id)
})
