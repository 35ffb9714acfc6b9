import { Answer } from '@longhaul/protocol'
import { ApiError, createClient, isPassing, keepTrying, streamRun } from '@longhaul/sdk/client'
import type { Client } from '@longhaul/sdk/client'
import { randomUUID } from 'node:crypto'
import type { Access, Case } from './cases.ts'
import type { Outcome } from './judge.ts'

export type Asked = {
  outcome: Outcome
  runId: string | undefined
  version: string | undefined
  costUsd: number | null
  model: string | undefined
  durationMs: number
}

type AskOptions = { agent: string; picked: { preview?: string; version?: string }; timeoutMs: number; signal: AbortSignal }

/** Asks one question and waits for the end of its run. Throws for what would go wrong with every other case too, and when `signal` is aborted. */
export async function askCase(client: Client, test: Case, options: AskOptions): Promise<Asked> {
  const startedAt = performance.now()
  const timeout = AbortSignal.timeout(options.timeoutMs)
  const signal = AbortSignal.any([options.signal, timeout])
  let runId: string | undefined
  let version: string | undefined
  let costUsd: number | null = null
  const asked = (outcome: Outcome, model?: string): Asked => ({ outcome, runId, version, costUsd, model, durationMs: performance.now() - startedAt })
  try {
    const idempotencyKey = randomUUID()
    const run = await keepTrying(
      () => client.runs.start({ agent: test.agent ?? options.agent, ...options.picked, input: test.question, idempotencyKey }, { signal }),
      {
        giveUpAfterMs: 60_000,
        signal,
      },
    )
    runId = run.id
    version = run.version
    for await (const frame of streamRun(client, run.id, { signal })) {
      if (frame.type === 'step.completed' && typeof frame.data.usage?.costUsd === 'number') costUsd = (costUsd ?? 0) + frame.data.usage.costUsd
      if (frame.type === 'run.failed') return asked({ problem: `the run failed: ${frame.data.failure.message}` })
      if (frame.type === 'run.cancelled') return asked({ problem: 'the run was cancelled' })
      if (frame.type !== 'run.completed') continue
      const answer = Answer.safeParse(frame.data.output).data
      return answer ? asked({ answer }, answer.model) : asked({ problem: 'what the run returned is not an answer' })
    }
    return asked({ problem: 'the run’s history ended without an end' })
  } catch (error) {
    options.signal.throwIfAborted()
    if (timeout.aborted) {
      if (runId) await client.runs.cancel({ runId, reason: 'The evaluation gave up on it.' }).catch(() => {}) // It has failed its case either way.
      return asked({ problem: `no end after ${Math.round(options.timeoutMs / 1_000)} s` })
    }
    // A server that is away fails every case to come as well; a refusal of this very question does not.
    if (!(error instanceof ApiError) || isPassing(error) || ['unauthenticated', 'forbidden', 'not_found'].includes(error.code)) throw error
    return asked({ problem: error.message })
  }
}

/** Clients for askers of limited access, each with a key of its own that lives as long as the evaluation. */
export function limitedClients(client: Client): { for(access: Access | undefined): Promise<Client>; close(): Promise<void> } {
  const made = new Map<string, Promise<{ keyId: string; client: Client }>>()
  const make = async (access: Access) => {
    const key = await client.keys.create({
      name: `eval-${randomUUID().slice(0, 8)}`,
      access: { personalData: access.personalData ?? true, ...(access.regions ? { regions: access.regions } : {}) },
    })
    return { keyId: key.id, client: createClient({ url: client.url, key: key.secret }) }
  }
  return {
    async for(access) {
      if (!access?.regions && access?.personalData !== false) return client
      const name = JSON.stringify([access.regions, access.personalData])
      const limited = made.get(name) ?? make(access)
      made.set(name, limited)
      return (await limited).client
    },
    async close() {
      const keys = await Promise.allSettled(made.values())
      made.clear()
      await Promise.all(
        keys.map((key) =>
          key.status === 'fulfilled' ? keepTrying(() => client.keys.delete({ keyId: key.value.keyId }), { giveUpAfterMs: 5_000 }) : undefined,
        ),
      )
    },
  }
}
