/** What the code asks for, and where it asks from. */
import type { Decider, Json } from '@longhaul/protocol'

/** Where the code asks from. Operations are numbered in each scope; a branch of `all` and a tool call have scopes of their own. */
export type Scope = {
  readonly prefix: string
  next: number
  readonly tool: ToolScope | undefined
  /** Another branch has won: what is asked here from now on is not answered. */
  isClosed(): boolean
}

/** What all scopes inside one tool call share. */
export type ToolScope = {
  readonly path: string
  isClosed: boolean
  /** Waits that the tool's code is in. While there are any, its clock stands still and the run may be released. */
  readonly waits: Set<Op>
  onWaiting(isWaiting: boolean): void
}

/** What a call is to keep to, as the server has it. */
export type CallLimits = { timeoutMs?: number | undefined; resultCharactersMax?: number | undefined }

/** An operation that was asked for and has no answer yet. */
export type Op = {
  readonly path: string
  readonly kind: string
  readonly name: string
  readonly scope: Scope
  /** It may also become one: a write that a person must decide. */
  isWait: boolean
  attempt: number
  /** It must not be executed until this has decided. */
  doubt: Decider | undefined
  /** JSON text of what was executed here and sent to be recorded. */
  output: string | undefined
  /** Sends what asks the server for it, or executes it. */
  start(op: Op): void
  /** Called when its intent is recorded. */
  begun?: ((limits: CallLimits) => void) | undefined
  resolve(value: Json): void
  reject(error: Error): void
}
