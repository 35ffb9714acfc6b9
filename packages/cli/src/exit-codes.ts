/** Exit codes beside those of the error catalogue (`errorCodes` in the protocol). */
export const exitCodes = {
  done: 0,
  /** The run failed, or an evaluation's score is under its minimum. */
  failed: 1,
  /** The run was cancelled. */
  cancelled: 10,
  /** Ctrl-C. Runs go on. */
  interrupted: 130,
} as const
