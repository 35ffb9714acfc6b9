/** A client as people have one: starts a run, watches it, answers what it asks, and tries again when the server is away. */
import { randomUUID } from 'node:crypto'
import type { RunEvent } from '@longhaul/protocol'
import { ApiError, type Client, keepTrying, streamRun } from '@longhaul/sdk/client'
import { type Command, wordFor } from './programs.ts'

export type Played = { runId: string; key: string; /** What the one stream gave, live frames left out. */ events: RunEvent[]; reconnectCount: number }

const patience = { giveUpAfterMs: 300_000, backoff: { delayMsMin: 20, delayMsMax: 1_000 } }

export type PlayOptions = {
  key?: string
  /** Answers a question only once the run has gone to sleep over it. Not for programs in which something else goes on meanwhile. */
  isSlow?: boolean
  /** A run that has not ended by then is stuck. */
  limitMs?: number
  /** Cancels it when it has seen so many events. */
  cancelAfter?: number | undefined
  onEvent?: (event: RunEvent) => void
}

/** Returns when the stream has ended, which it does with the run. `onEvent` sees each event before the person acts on it. */
export async function playRun(
  client: Client,
  commands: Command[],
  { key = randomUUID(), isSlow = false, limitMs = 60_000, cancelAfter, onEvent = () => {} }: PlayOptions = {},
): Promise<Played> {
  const { id: runId } = await keepTrying(() => client.runs.start({ agent: 'crash', input: { commands }, idempotencyKey: key }), patience)
  const events: RunEvent[] = []
  let reconnectCount = -1
  const onConnection = ({ state }: { state: string }) => void (state === 'connected' && reconnectCount++)
  const limit = AbortSignal.timeout(limitMs)
  try {
    for await (const frame of streamRun(client, runId, { ...patience, onConnection, signal: limit })) {
      if (!('seq' in frame)) continue
      events.push(frame)
      onEvent(frame)
      if (events.length === cancelAfter) await keepTrying(() => client.runs.cancel({ runId }), patience)
      const isQuestion = frame.type === 'wait.created' ? frame.data.kind !== 'timer' : frame.type === 'step.doubted' && frame.data.needs === 'person'
      if (!isQuestion) continue
      while (isSlow && (await keepTrying(() => client.runs.get({ runId }), patience)).state === 'running' && !limit.aborted)
        await new Promise((resolve) => setTimeout(resolve, 5))
      if (frame.type === 'wait.created') await answer(client, runId, frame)
      if (frame.type === 'step.doubted') await decide(client, runId, frame)
    }
  } catch (error) {
    if (error !== limit.reason) throw error
    const run = await client.runs.get({ runId })
    throw new Error(
      `Run ${runId} has not ended within ${limitMs} ms; it is ${run.state}, ${JSON.stringify(run.wait)}, after ${events.map(({ type, op }) => `${type} ${op ?? ''}`).join(', ')}`,
      { cause: error },
    )
  }
  return { runId, key, events, reconnectCount }
}

/** Takes the person's word for it that a write has taken effect. */
async function decide(client: Client, runId: string, { op = '', data }: Extract<RunEvent, { type: 'step.doubted' }>): Promise<void> {
  try {
    await keepTrying(() => client.runs.decide({ runId, op, decision: 'completed', output: `${data.name} done` }), patience)
  } catch (error) {
    if (!(error instanceof ApiError && error.code === 'conflict')) throw error // As below.
  }
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
