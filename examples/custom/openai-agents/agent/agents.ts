/** The agents. Nothing in them knows where they run. */
import { Agent, tool } from '@openai/agents'
import { z } from 'zod'

const findArticle = tool({
  name: 'find_article',
  description: 'Finds an article of the handbook.',
  parameters: z.object({ topic: z.string() }),
  execute: async ({ topic }) => `${topic}: open Settings, then Security, then Reset.`,
})

const support = new Agent({ name: 'Support', model: 'default', instructions: 'Answer from the handbook, in one sentence.', tools: [findArticle] })

export const triage = Agent.create({
  name: 'Triage',
  model: 'default',
  instructions: 'Hand questions about the product to Support.',
  handoffs: [support],
})
