/** LangGraph.js: a graph in this process, each step's state in PostgreSQL before the next begins (`durability: 'sync'`). `node langgraph.ts <packages> <database>` */
import { importFrom } from './install.ts'
import { serve, stepsPerRun, work } from './program.ts'

type Graph = {
  addNode(name: string, work: () => Promise<object>): Graph
  addEdge(from: string, to: string): Graph
  compile(options: object): { invoke(input: object, options: object): Promise<unknown> }
}
type LangGraph = { StateGraph: new (state: object) => Graph; Annotation: (() => object) & { Root(shape: object): object } }
type Saver = { setup(): Promise<void> }

const [, , folder = '', database = ''] = process.argv
const { StateGraph, Annotation } = await importFrom<LangGraph>(folder, '@langchain/langgraph')
const { PostgresSaver } = await importFrom<{ PostgresSaver: { fromConnString(url: string): Saver } }>(folder, '@langchain/langgraph-checkpoint-postgres')
const saver = PostgresSaver.fromConnString(database)
await saver.setup()
let graph = new StateGraph(Annotation.Root({ text: Annotation() }))
const names = Array.from({ length: stepsPerRun }, (_, i) => `work-${i}`)
for (const name of names) graph = graph.addNode(name, async () => ({ text: work() }))
for (const [from, to] of ['__start__', ...names].map((name, i) => [name, names[i] ?? '__end__'] as const)) graph = graph.addEdge(from, to)
const app = graph.compile({ checkpointer: saver })
await serve((id) => app.invoke({ text: '' }, { configurable: { thread_id: id }, durability: 'sync', recursionLimit: 100 }))
