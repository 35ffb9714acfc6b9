/** A worker whose server is the test itself: frame by frame, for what a whole run does not show. */
import { type HistoryEntry, type ServerFrame, WorkerFrame } from '@longhaul/protocol'
import type { Program } from '../../src/worker.ts'
import { createWorker } from '../../src/worker.ts'

const run = '00000000-0000-7000-8000-000000000001'
type RunFrame = ServerFrame extends infer Frame ? (Frame extends { run: string } ? Omit<Frame, 'run'> : never) : never

export function frameByFrame(program: Program, options: { stuckMs?: { asking: number; silent: number }; prepared?: Promise<void>; isLicensed?: boolean } = {}) {
  const frames: WorkerFrame[] = []
  let wake = () => {}
  const worker = createWorker({
    program,
    dataDir: '/nonexistent',
    ...options,
    send: (text) => {
      frames.push(WorkerFrame.parse(JSON.parse(text)))
      wake()
    },
  })
  if (options.isLicensed !== false) worker.receive({ type: 'licence', untilMs: Infinity })
  const history = (entries: HistoryEntry[]) => entries.length > 0 && worker.receive({ type: 'run.history', run, entries })
  return {
    run,
    worker,
    frames,
    start(entries: HistoryEntry[] = [], more: { withholdsWrites?: boolean } = {}) {
      const asker = { id: 'k', name: 'tester', access: { personalData: true } }
      const createdAt = '2026-01-15T12:00:00.000Z'
      worker.receive({
        type: 'run.start',
        run,
        agent: 'test',
        version: '1',
        input: null,
        asker,
        session: null,
        messages: [],
        ...more,
        createdAt,
        historyLength: entries.length,
      })
      history(entries)
    },
    /** Frames that arrive in one message. */
    receive(...batch: RunFrame[]) {
      for (const frame of batch) worker.receive({ ...frame, run } as ServerFrame)
    },
    /** The first frame that matches, once there is one. */
    async next<Type extends WorkerFrame['type']>(type: Type, op?: string): Promise<Extract<WorkerFrame, { type: Type }>> {
      for (;;) {
        const found = frames.find((frame) => frame.type === type && (op === undefined || ('op' in frame && frame.op === op)))
        if (found) return found as Extract<WorkerFrame, { type: Type }>
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    /** Lets the worker do all that it can without hearing anything new. */
    async settle(turns = 20) {
      for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve))
    },
    types: () => frames.map((frame) => ('op' in frame ? `${frame.type} ${frame.op}` : frame.type)),
  }
}

export const completed = (op: string, kind: string, name: string, output: unknown = null): HistoryEntry => ({
  type: 'completed',
  op,
  kind,
  name,
  output: output as null,
})
export const failed = (op: string, kind: string, name: string, message: string): HistoryEntry => ({
  type: 'failed',
  op,
  kind,
  name,
  failure: { message, retryable: false },
})
export const open = (op: string, kind: string, name: string, attempt = 1): HistoryEntry => ({ type: 'open', op, kind, name, attempt })
