export const runStates = ['pending', 'running', 'waiting', 'completed', 'failed', 'cancelled'] as const
export type RunState = (typeof runStates)[number]

/** The whole life of a run. A move that is not listed is a bug, never a case to handle. */
export const moves: Record<RunState, readonly RunState[]> = {
  pending: ['running', 'cancelled'],
  running: ['running', 'waiting', 'completed', 'failed', 'cancelled'], // Itself: claimed anew, the node was lost.
  waiting: ['running', 'cancelled'],
  completed: [],
  failed: [],
  cancelled: [],
}

export const isTerminal = (state: RunState): boolean => moves[state].length === 0

/** What a person may do to a run. The console disables by it; the server asserts by it. `retry` takes a parked run up again. */
export const runActions = {
  cancel: ['pending', 'running', 'waiting'],
  signal: ['pending', 'running', 'waiting'],
  retry: ['waiting'],
} as const satisfies Record<string, readonly RunState[]>

export type RunAction = keyof typeof runActions
export const may = (state: RunState, action: RunAction): boolean => (runActions[action] as readonly RunState[]).includes(state)
