/**
 * The worker's frames as JSON text. Values come in as text that `encode` has checked and measured, so that nothing is
 * serialised twice; paths, kinds and run ids come from ourselves or the server and hold nothing to escape.
 */
import type { AgentManifest, ApprovalRule, Decider, Effect, Failure, RetryPolicy, StepKind, WorkerFrame } from '@longhaul/protocol'

type Head = { run: string; op: string; name: string }
const head = ({ run, op, name }: Head, type: string, kind: string) =>
  `{"type":"${type}","run":"${run}","op":"${op}","kind":"${kind}","name":${JSON.stringify(name)}`
const rounded = (ms: number) => Math.round(ms * 1_000) / 1_000

export const askFrame = (of: Head, kind: StepKind, input: string): string => `${head(of, 'op', kind)},"input":${input}}`

export type WaitAsked = 'timer' | 'signal' | 'approval' | 'run'
/** `detail` as JSON text, the child that is waited for, and who has to say yes. */
type WaitMore = { detail?: string | undefined; target?: string | undefined; rule?: ApprovalRule | undefined }
export const waitFrame = (of: Head, kind: WaitAsked, timeoutMs: number | null, { detail, target, rule }: WaitMore = {}): string =>
  `${head(of, 'op.wait', kind)},"timeoutMs":${timeoutMs}${detail === undefined ? '' : `,"detail":${detail}`}${rule === undefined ? '' : `,"rule":${JSON.stringify(rule)}`}${target === undefined ? '' : `,"target":${JSON.stringify(target)}`}}`

export type Intent = { kind: 'step' | 'tool'; attempt: number; input: string; effect: Effect | undefined; isChecked: boolean }
export const beginFrame = (of: Head, { kind, attempt, input, effect, isChecked }: Intent): string =>
  `${head(of, 'op.begin', kind)},"attempt":${attempt},"input":${input}${effect === undefined ? '' : `,"effect":"${effect}"`}${isChecked ? ',"isChecked":true' : ''}}`

export const doubtFrame = (of: Head, kind: 'step' | 'tool', attempt: number, needs: Decider, message: string): string =>
  `${head(of, 'op.doubt', kind)},"attempt":${attempt},"needs":"${needs}","message":${JSON.stringify(message)}}`

export const doneFrame = (of: Head, kind: 'step' | 'tool', attempt: number, output: string, durationMs: number): string =>
  `${head(of, 'op.done', kind)},"attempt":${attempt},"output":${output},"durationMs":${rounded(durationMs)}}`

export const errorFrame = (of: Head, kind: 'step' | 'tool', attempt: number, failure: Failure, retry: RetryPolicy, durationMs: number): string =>
  `${head(of, 'op.error', kind)},"attempt":${attempt},"failure":${JSON.stringify(failure)},"retry":${JSON.stringify(retry)},"durationMs":${rounded(durationMs)}}`

export const continuedFrame = (run: string, input: string): string => `{"type":"run.continued","run":"${run}","input":${input}}`

export const completedFrame = (run: string, output: string): string => `{"type":"run.completed","run":"${run}","output":${output}}`

export const helloFrame = (manifest: AgentManifest | null, problem: string | null): string =>
  plainFrame({ type: 'hello', protocol: 1, manifest, problem, pid: process.pid })

/** Frames that are rare enough to be serialised whole. */
export const plainFrame = (
  frame: Extract<WorkerFrame, { type: 'hello' | 'run.idle' | 'run.failed' | 'run.diverged' | 'run.yielded' | 'admit' | 'heartbeat' | 'log' }>,
): string => JSON.stringify(frame)
