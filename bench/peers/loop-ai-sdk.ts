/** The bare loop of the AI SDK: nothing is kept. */
import { generateText, stepCountIs, tool } from 'ai'
import { z } from 'zod'
import { type Script, languageModel, serveLoop } from './loop.ts'

const scripts = new Map<string, Script>()
const model = languageModel(scripts)
const note = tool({ description: 'Notes a number.', inputSchema: z.strictObject({ n: z.number() }), execute: ({ n }) => ({ noted: n }) })

serveLoop(async (id, script) => {
  scripts.set(id, script)
  const { text } = await generateText({ model, tools: { note }, stopWhen: stepCountIs(1_000), prompt: id })
  if (text !== 'Done.') throw new Error(`It ended with ${JSON.stringify(text)}.`)
  scripts.delete(id)
})
