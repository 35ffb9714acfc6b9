/** The bare loop of the AI SDK: nothing is kept. `node loop-ai-sdk.ts <packages>` */
import { importFrom } from './install.ts'
import { type Script, languageModel, serveLoop } from './loop.ts'

type AiSdk = {
  generateText(options: object): Promise<{ text: string }>
  stepCountIs(count: number): object
  tool(options: object): object
}
type Zod = { object(shape: object): object; number(): object }

const [, , folder = ''] = process.argv
const { generateText, stepCountIs, tool } = await importFrom<AiSdk>(folder, 'ai')
const { z } = await importFrom<{ z: Zod }>(folder, 'zod')
const scripts = new Map<string, Script>()
const model = languageModel(scripts)
const note = tool({ description: 'Notes a number.', inputSchema: z.object({ n: z.number() }), execute: ({ n }: { n: number }) => ({ noted: n }) })

serveLoop(async (id, script) => {
  scripts.set(id, script)
  const { text } = await generateText({ model, tools: { note }, stopWhen: stepCountIs(1_000), prompt: id })
  if (text !== 'Done.') throw new Error(`It ended with ${JSON.stringify(text)}.`)
  scripts.delete(id)
})
