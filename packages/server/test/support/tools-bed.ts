/** The tools' folder over a real database, for runs of an agent that declares what a test says. Each bed is a tenant of its own. */
import type { AgentManifest, ApprovalRule, CallAnswered, CallRequest, Connection, Json, ToolLimits } from '@longhaul/protocol'
import { ConnectResult, CallResult, Connection as ConnectionSchema } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Db } from '../../src/db/index.ts'
import { openSecrets } from '../../src/identity/index.ts'
import { newId, secretBytes, silentLog } from '../../src/kernel/index.ts'
import { type ToolsOptions, openTools } from '../../src/tools/index.ts'

export type BedOptions = Partial<ToolsOptions> & {
  db: Db
  tenantId?: string
  /** Who asked for the run. */
  subject?: string
  connections?: Record<string, z.input<typeof Connection>>
  allowedHosts?: string[]
  /** Whom the agent's folder declares that it writes to. */
  declaredRecipients?: string[]
  toolLimits?: Record<string, ToolLimits>
}

export type BedSecret = { value: string; hosts?: string[]; agents?: string[] | null }

export async function openToolsBed({
  connections = {},
  allowedHosts = [],
  declaredRecipients = [],
  toolLimits = {},
  tenantId = newId(),
  subject = newId(),
  db,
  ...options
}: BedOptions) {
  const manifest: AgentManifest = {
    description: 'A test',
    shape: 'agent',
    model: null,
    instructions: null,
    tools: [],
    skills: [],
    examples: [],
    connections: Object.entries(connections).map(([name, declared]) => ({ name, connection: ConnectionSchema.parse(declared) })),
    toolLimits,
    allowedHosts,
    mailRecipients: declaredRecipients,
  }
  const secrets = options.secrets ?? openSecrets({ db, masterKeys: { current: secretBytes(32) }, log: silentLog })
  const boss = { tenantId, askerId: undefined, keyId: 'k', name: 'boss', permissions: [], access: { personalData: true } }
  const tools = openTools({
    db,
    log: silentLog,
    version: 'test',
    secrets,
    hosted: () => Promise.reject(new Error('Nothing is started here.')),
    privateHosts: [],
    manifestOf: async ({ agent }) => (agent === 'helper' ? manifest : undefined),
    liveVersionOf: async (tenant, agent) => (tenant === tenantId && agent === 'helper' ? 'v1' : undefined),
    folderOf: () => '/nowhere',
    ...options,
  })
  const run = { id: newId(), tenantId, namespace: 'default', agent: 'helper', version: 'v1', asker: { id: subject } }
  const live: string[] = []
  /** Which step it is, and whose words the run has read: for the calls that follow. */
  const where = { op: '3', labels: [] as string[], granted: undefined as ApprovalRule | undefined }
  /** What calls have put for the transaction that records their step. */
  const booked: string[] = []
  const contextFor = (signal: AbortSignal) => ({
    run,
    ...where,
    signal,
    book: (row: string) => void booked.push(row),
    live: ({ text }: { text: string }) => void live.push(text),
  })
  return {
    tools,
    boss,
    secrets,
    setSecret: (name: string, secret: BedSecret) => secrets.set(boss, { name, ...secret }),
    run,
    where,
    booked,
    live,
    connect: async (...names: string[]) => ConnectResult.parse((await tools.connect({ connections: names }, contextFor(new AbortController().signal))).output),
    call: async (tool: string, input: Json = {}, signal = new AbortController().signal, answered?: CallAnswered) =>
      CallResult.parse((await tools.call(JSON.parse(JSON.stringify({ tool, input, answered } satisfies CallRequest)) as Json, contextFor(signal))).output),
    async [Symbol.asyncDispose]() {
      await tools.stop()
    },
  }
}

/** What a step failed with. Throws when it did not fail. */
export async function failureOf(work: Promise<unknown>): Promise<{ code?: string; message: string; retryable: boolean; retryAfterMs?: number; detail?: Json }> {
  const error = await work.then(
    (value) => new Error(`It did not fail, but gave ${JSON.stringify(value)}`),
    (thrown: unknown) => thrown,
  )
  if (error instanceof Error && 'failure' in error) return error.failure as { code?: string; message: string; retryable: boolean }
  throw error
}
