export { noTokens, totalOf } from './buckets.ts'
export type { TokenBuckets } from './buckets.ts'
export type { Admission, Attribution, Call, Outcome, Refusal, Reservation } from './call.ts'
export type { Money } from './money.ts'
