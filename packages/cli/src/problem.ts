import type { ErrorCode } from '@longhaul/protocol'

/** Something the person can do something about. `remedy` says what, one line each. */
export class Problem extends Error {
  override readonly name = 'Problem'
  readonly code: ErrorCode
  readonly remedy: string[]

  constructor(code: ErrorCode, message: string, ...remedy: string[]) {
    super(message)
    this.code = code
    this.remedy = remedy
  }
}

/** Ctrl-C. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
}
