/** DBOS Transact: workflows in this process, their steps in PostgreSQL. `node dbos.ts <packages> <database>` */
import { importFrom } from './install.ts'
import { serve, stepsPerRun, work } from './program.ts'

type Dbos = {
  setConfig(config: { name: string; systemDatabaseUrl: string; systemDatabasePoolSize: number; logLevel: string }): void
  registerWorkflow(work: () => Promise<void>, options: { name: string }): () => Promise<void>
  runStep(work: () => Promise<string>, options: { name: string }): Promise<string>
  launch(): Promise<void>
}

const [, , folder = '', database = ''] = process.argv
const { DBOS } = await importFrom<{ DBOS: Dbos }>(folder, '@dbos-inc/dbos-sdk')
DBOS.setConfig({ name: 'bench', systemDatabaseUrl: database, systemDatabasePoolSize: 20, logLevel: 'error' })
const steps = DBOS.registerWorkflow(
  async () => {
    for (let i = 0; i < stepsPerRun; i++) await DBOS.runStep(async () => work(), { name: 'work' })
  },
  { name: 'steps' },
)
await DBOS.launch()
await serve(() => steps())
