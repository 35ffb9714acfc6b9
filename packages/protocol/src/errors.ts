import { z } from 'zod'
import { errorCodes } from './error-codes.ts'
import type { Json } from './json.ts'

export type ErrorCode = keyof typeof errorCodes
export const ErrorCode = z.enum(Object.keys(errorCodes) as [ErrorCode, ...ErrorCode[]])

/** The body of every error response. */
export const ErrorBody = z.object({ error: z.object({ code: ErrorCode, message: z.string(), requestId: z.string().optional() }) })
export type ErrorBody = z.infer<typeof ErrorBody>

/**
 * Why a step or run failed. Data, not an exception: it is stored, shown and given to models. `code` is the thrower's own word (`timeout`, `not_json`, …).
 * `retryAfterMs`: whoever refused asks for at least this pause before the next attempt. `detail`: what the message says, for programs.
 */
export const Failure = z.object({
  message: z.string().max(20_000),
  code: z.string().max(64).optional(),
  retryable: z.boolean(),
  retryAfterMs: z.number().int().min(0).optional(),
  detail: z.custom<Json>((value) => value !== undefined).optional(),
  stack: z.string().max(20_000).optional(),
})
export type Failure = z.infer<typeof Failure>
