/** A client as people have one: starts a run, watches it, answers what it asks, and tries again when the server is away. */
import { randomUUID } from 'node:crypto'
import type { RunEvent } from '@longhaul/protocol'
import { ApiError, type Client, keepTrying, streamRun } from '@longhaul/sdk/client'
import { type Command, wordFor } from './programs.ts'

export type Played = { runId: string; key: string; /** What the one stream gave, live frames left out. */ events: RunEvent[]; reconnectCount: number }

const patience = { giveUpAfterMs: 60_000, backoff: { delayMsMin: 20, delayMsMax: 200 } }

/** Returns when the stream has ended, which it does with the run. `onEvent` sees each event before the person acts on it. */
export async function playRun(client: Client, commands: Command[], { key = randomUUID(), onEvent = () => {} }: { key?: string; onEvent?: (event: RunEvent) => void } = {}): Promise<Played> {
  const { id: runId } = await keepTrying(() => client.runs.start({ agent: 'crash', input: { commands }, idempotencyKey: key }), patience)
  const events: RunEvent[] = []
  let reconnectCount = -1
  const onConnection = ({ state }: { state: string }) => void (state === 'connected' && reconnectCount++)
  for await (const frame of streamRun(client, runId, { ...patience, onConnection })) {
    if (!('seq' in frame)) continue
    events.push(frame)
    onEvent(frame)
    if (frame.type === 'wait.created') await answer(client, runId, frame)
  }
  return { runId, key, events, reconnectCount }
}

async function answer(client: Client, runId: string, { op, data }: Extract<RunEvent, { type: 'wait.created' }>): Promise<void> {
  const { kind, name, approvalId } = data
  try {
    if (kind === 'signal') await keepTrying(() => client.runs.signal({ runId, name, payload: wordFor(name), idempotencyKey: `answer ${op}` }), patience)
    if (kind === 'approval' && approvalId) await keepTrying(() => client.approvals.decide({ approvalId, approved: true }), patience)
  } catch (error) {
    // The first request may have been carried out without an answer. The run's end tells whether one was.
    if (!(error instanceof ApiError && error.code === 'conflict')) throw error
  }
}
