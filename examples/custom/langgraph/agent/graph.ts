/** The agent. Nothing in it knows where it runs. */
import { MemorySaver, MessagesAnnotation, StateGraph } from '@langchain/langgraph'
import { ToolNode, toolsCondition } from '@langchain/langgraph/prebuilt'
import { tool } from '@langchain/core/tools'
import { ChatOpenAI } from '@langchain/openai'
import { z } from 'zod'

const weather = tool(({ city }) => `In ${city} it is 7 degrees and dry.`, {
  name: 'weather',
  description: 'The weather in a city now.',
  schema: z.object({ city: z.string() }),
})

const model = new ChatOpenAI({ model: 'default' }).bindTools([weather])

export const graph = new StateGraph(MessagesAnnotation)
  .addNode('model', async ({ messages }) => ({ messages: [await model.invoke(messages)] }))
  .addNode('tools', new ToolNode([weather]))
  .addEdge('__start__', 'model')
  .addConditionalEdges('model', toolsCondition)
  .addEdge('tools', 'model')
  .compile({ checkpointer: new MemorySaver() })
