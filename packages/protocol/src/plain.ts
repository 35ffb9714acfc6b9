/**
 * What of the contract needs no schemas, as `@longhaul/protocol/plain`: for what must load no zod, such as the console's first page.
 * `index.ts` has all of it, too.
 */
export { answersTo, asksOf } from './asks.ts'
export { attachmentPath, attachmentsMax, attachmentsOf } from './attachment-refs.ts'
export { toOcsf } from './audit-ocsf.ts'
export { errorCodes } from './error-codes.ts'
export { liveCloses, liveLimits, livePath } from './live-connection.ts'
export { isLiveFrame } from './live-frame.ts'
export { isTerminal, may, moves, runActions, runStates } from './run-state.ts'
export type { RunAction } from './run-state.ts'
export { attentionReasons, auditOutcomes, hookOutcomes, parkReasons, sandboxStates } from './states.ts'
