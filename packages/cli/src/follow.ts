/** Follows a run to its end and shows it: what `ask`, `runs start --watch` and `runs watch` have in common. */
import { Answer, isLiveFrame } from '@longhaul/protocol'
import type { Run, RunEvent } from '@longhaul/protocol'
import { streamRun } from '@longhaul/sdk/client'
import type { Client, ConnectionState } from '@longhaul/sdk/client'
import { resolve } from 'node:path'
import { exitCodes } from './exit-codes.ts'
import { saveFiles } from './files.ts'
import type { Invocation } from './invocation.ts'
import { Interrupted, Problem } from './problem.ts'
import { answerLines, failureLines, outputLines } from './show/answer.ts'
import { createStory, notice } from './show/story.ts'
import type { Story } from './show/story.ts'
import { counted, duration } from './show/values.ts'

export type FollowOptions = {
  /** Folder for the answer's files. */
  out?: string | undefined
  /** Only the answer. */
  isQuiet?: boolean
  rowsMax: number
  giveUpAfterMs: number
}

type EndEvent = Extract<RunEvent, { type: 'run.completed' | 'run.failed' | 'run.cancelled' }>
type End = { event: EndEvent; durationMs: number; turns: number }

/** Returns the exit code. */
export async function follow(invocation: Invocation, run: Run, options: FollowOptions): Promise<number> {
  const client = await invocation.client()
  let end: End | undefined
  try {
    end = await watch(invocation, client, run, options)
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error
    return leave(invocation, run)
  } finally {
    invocation.terminal.status(undefined)
  }
  return end ? show(invocation, client, run, end, options) : exitCodes.failed
}

async function watch(
  { terminal, isJson, world, printJson }: Invocation,
  client: Client,
  run: Run,
  { isQuiet = false, giveUpAfterMs }: FollowOptions,
): Promise<End | undefined> {
  const story = createStory(terminal, run.id)
  const isTelling = !isJson && !isQuiet
  const connection = connectionTeller(story)
  let startedAt = Date.parse(run.createdAt)

  if (isTelling) terminal.status(connection.doing)
  const onConnection = (state: ConnectionState) => {
    if (isJson && (state.state === 'lost' || connection.wasLost())) printJson({ type: 'connection', ...state })
    const line = connection.tell(state)
    if (isTelling && line) terminal.print(...notice(terminal, terminal.paint('yellow', '↻'), 'server', line))
  }
  for await (const frame of streamRun(client, run.id, { signal: world.interrupted, giveUpAfterMs, onConnection })) {
    if (isJson && !isLiveFrame(frame)) printJson(frame)
    const lines = story.tell(frame)
    if (isTelling && lines.length > 0) terminal.print(...lines)
    if (frame.type === 'run.started') startedAt = Date.parse(frame.at)
    if (frame.type === 'run.completed' || frame.type === 'run.failed' || frame.type === 'run.cancelled') {
      return { event: frame, durationMs: Math.max(0, Date.parse(frame.at) - startedAt), turns: story.turns }
    }
  }
  return undefined
}

/** Says once that the connection was lost and once that it is back, however many tries lay between. */
function connectionTeller(story: Story) {
  let lostAt: number | undefined
  let failures = 0
  return {
    wasLost: () => lostAt !== undefined,
    doing: () =>
      lostAt === undefined ? story.doing() : `no connection for ${duration(performance.now() - lostAt)}, ${counted(failures, 'try', 'tries')}; the run is kept`,
    tell(state: ConnectionState): string | undefined {
      if (state.state === 'lost') {
        failures = state.failures
        if (lostAt !== undefined) return undefined
        lostAt = performance.now()
        return `lost (${state.because.replace(/\.$/, '')}); trying again`
      }
      if (lostAt === undefined) return undefined
      const tookMs = performance.now() - lostAt
      lostAt = undefined
      return `back after ${duration(tookMs)}; nothing was missed`
    },
  }
}

function leave({ terminal, isJson, printJson }: Invocation, run: Run): number {
  if (isJson) printJson({ type: 'detached', runId: run.id })
  else terminal.print('', '  The run goes on without this terminal.', `  npx longhaul runs watch ${run.id}`, `  npx longhaul runs cancel ${run.id}`)
  return exitCodes.interrupted
}

async function show(invocation: Invocation, client: Client, run: Run, { event, durationMs, turns }: End, options: FollowOptions): Promise<number> {
  const { terminal, isJson, world, printJson } = invocation
  const head = { type: 'answer', runId: run.id, agent: run.agent, durationMs }
  switch (event.type) {
    case 'run.failed':
      if (isJson) printJson({ ...head, state: 'failed', failure: event.data.failure })
      else terminal.print(...failureLines(terminal, event.data.failure), '', `  npx longhaul runs get ${run.id}`, '')
      return exitCodes.failed
    case 'run.cancelled':
      if (isJson) printJson({ ...head, state: 'cancelled', by: event.data.by, reason: event.data.reason })
      else terminal.print('', `  Cancelled by ${event.data.by}${event.data.reason ? `: ${event.data.reason}` : ''}.`, '')
      return exitCodes.cancelled
    case 'run.completed': {
      const answer = Answer.safeParse(event.data.output).data
      if (!answer) {
        if (isJson) printJson({ ...head, state: 'completed', output: event.data.output })
        else terminal.print(...outputLines(terminal, event.data.output), '', `  ${terminal.paint('dim', duration(durationMs))}`, '')
        return exitCodes.done
      }
      const folder = resolve(world.folder, options.out ?? `longhaul-answers/${run.id}`)
      const files = answer.parts.filter((part) => part.type === 'file')
      let unsaved: Problem | undefined
      const saved = await saveFiles(client, files, folder, world.folder, world.interrupted).catch((error: unknown) => {
        if (!(error instanceof Problem)) throw error
        unsaved = error // Told behind the answer, which is none the worse for it.
        return []
      })
      if (isJson) {
        const pathOf = new Map(saved.map(({ fileId, path }) => [fileId, path]))
        printJson({
          ...head,
          state: 'completed',
          ...answer,
          parts: answer.parts.map((part) => (part.type === 'file' ? { ...part, path: pathOf.get(part.fileId) } : part)),
        })
      } else terminal.print(...answerLines(terminal, { answer, saved, turns, durationMs, rowsMax: options.rowsMax }), '')
      if (unsaved) throw unsaved
      return exitCodes.done
    }
  }
}
