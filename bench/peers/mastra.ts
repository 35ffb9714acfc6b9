/** Mastra: a workflow in this process, its snapshots in PostgreSQL. `node mastra.ts <packages> <database>` */
import { importFrom } from './install.ts'
import { serve, stepsPerRun, work } from './program.ts'

type Workflow = {
  then(step: object): Workflow
  commit(): Workflow
  createRun(): Promise<{ start(options: { inputData: object }): Promise<{ status: string }> }>
}
type Workflows = { createWorkflow(options: object): Workflow; createStep(options: object): object }
type Zod = { object(shape: object): object; string(): object }

const [, , folder = '', database = ''] = process.argv
const { Mastra } = await importFrom<{ Mastra: new (options: object) => { getWorkflow(name: string): Workflow } }>(folder, '@mastra/core')
const { createWorkflow, createStep } = await importFrom<Workflows>(folder, '@mastra/core/workflows')
const { PostgresStore } = await importFrom<{ PostgresStore: new (options: object) => { init(): Promise<void> } }>(folder, '@mastra/pg')
const { z } = await importFrom<{ z: Zod }>(folder, 'zod')

const schema = z.object({ text: z.string() })
const shape = { inputSchema: schema, outputSchema: schema }
let workflow = createWorkflow({ id: 'steps', ...shape })
for (let i = 0; i < stepsPerRun; i++) workflow = workflow.then(createStep({ id: `work-${i}`, ...shape, execute: async () => ({ text: work() }) }))
const storage = new PostgresStore({ id: 'bench', connectionString: database, max: 20 })
await storage.init()
const mastra = new Mastra({ workflows: { steps: workflow.commit() }, storage, logger: false })
const steps = mastra.getWorkflow('steps')
await serve(async () => {
  const { status } = await (await steps.createRun()).start({ inputData: { text: '' } })
  if (status !== 'success') throw new Error(`A run ended as ${status}.`)
})
