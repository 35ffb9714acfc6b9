/** Commands that write more than a step holds: the step has the beginning, and the run keeps the rest as files. */
import type { ExecRequest, ExecResult, FilePart } from '@longhaul/protocol'
import { StepFailure } from '../kernel/index.ts'
import type { Sandbox } from '../sandbox/index.ts'

type Stream = 'stdout' | 'stderr'
type Keeping = {
  signal: AbortSignal
  /** Hears no more of a stream than the step holds. */
  onOutput(stream: Stream, text: string): void
  store(file: { name: string; mediaType: string; base64: string }): Promise<FilePart>
}

/** Of stdout and stderr each, in a step and in what follows it live. */
const shownBytesMax = 256 * 1024
/** Of each, as a file; a sandbox's driver may pass on less. */
const keptBytesMax = 8_000_000

export async function execKeepingOutput(sandbox: Sandbox, request: ExecRequest, { signal, onOutput, store }: Keeping): Promise<ExecResult> {
  const heard = { stdout: [] as string[], stderr: [] as string[] }
  const shown = { stdout: 0, stderr: 0 }
  const result = await sandbox.exec(request, {
    signal,
    outputBytesMax: keptBytesMax,
    onOutput(stream, text) {
      heard[stream].push(text)
      if (shown[stream] >= shownBytesMax) return
      onOutput(stream, cut(text, shownBytesMax - shown[stream]))
      shown[stream] += Buffer.byteLength(text)
    },
  })
  const whole: FilePart[] = []
  for (const stream of ['stdout', 'stderr'] as const) {
    const text = heard[stream].join('')
    if (Buffer.byteLength(text) <= shownBytesMax) continue
    result.isTruncated = true
    // How it ended was added to what it wrote.
    result[stream] = `${cut(text, shownBytesMax)}${result[stream].slice(text.length)}`
    const file = { name: `${stream}.txt`, mediaType: 'text/plain', base64: cutBytes(text, keptBytesMax).toString('base64') }
    const part = await store(file).catch((error: unknown) => {
      if (error instanceof StepFailure) return // The tenant's room is used up: the command is none the worse for it.
      throw error
    })
    if (part) whole.push(part)
  }
  return whole.length === 0 ? result : { ...result, whole }
}

const cutBytes = (text: string, bytesMax: number): Buffer => Buffer.from(text).subarray(0, bytesMax)
const cut = (text: string, bytesMax: number): string => (Buffer.byteLength(text) <= bytesMax ? text : cutBytes(text, bytesMax).toString())
