/** LangGraph.js: a node for the model, one for its tool, each step's state in PostgreSQL before the next begins. `node loop-langgraph.ts <packages> <database>` */
import { importFrom } from './install.ts'
import { type Script, type Said, serveLoop } from './loop.ts'

type State = { id: string; messages: unknown[]; said: Said }
type Graph = {
  addNode(name: string, work: (state: State) => Promise<object>): Graph
  addEdge(from: string, to: string): Graph
  addConditionalEdges(from: string, choose: (state: State) => string): Graph
  compile(options: object): { invoke(input: object, options: object): Promise<State> }
}
type Annotation = ((options?: object) => object) & { Root(shape: object): object }
type Saver = { setup(): Promise<void> }

const [, , folder = '', database = ''] = process.argv
const { StateGraph, Annotation } = await importFrom<{ StateGraph: new (state: object) => Graph; Annotation: Annotation }>(folder, '@langchain/langgraph')
const { PostgresSaver } = await importFrom<{ PostgresSaver: { fromConnString(url: string): Saver } }>(folder, '@langchain/langgraph-checkpoint-postgres')
const saver = PostgresSaver.fromConnString(database)
await saver.setup()
const scripts = new Map<string, Script>()
const messages = Annotation({ reducer: (before: unknown[], more: unknown[]) => [...before, ...more], default: () => [] })
const app = new StateGraph(Annotation.Root({ id: Annotation(), said: Annotation(), messages }))
  .addNode('model', async ({ id }) => {
    const said = await scripts.get(id)!.ask()
    return { said, messages: [{ role: 'assistant', said }] }
  })
  .addNode('note', async ({ said }) => ({ messages: [{ role: 'tool', result: { noted: said === 'Done.' ? 0 : said.n } }] }))
  .addEdge('__start__', 'model')
  .addConditionalEdges('model', ({ said }) => (said === 'Done.' ? '__end__' : 'note'))
  .addEdge('note', 'model')
  .compile({ checkpointer: saver })

serveLoop(async (id, script) => {
  scripts.set(id, script)
  await app.invoke({ id, messages: [{ role: 'user', text: id }] }, { configurable: { thread_id: id }, durability: 'sync', recursionLimit: 10_000 })
  scripts.delete(id)
})
