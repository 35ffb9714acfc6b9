import { ApiError } from '@longhaul/sdk/client'
import type { ErrorCode } from '@longhaul/protocol'

/** What a page shows of a failed request. `code` picks the remedy's sentence in the reader's language. */
export type Problem = { code: ErrorCode; message: string; requestId: string | undefined }

export function toProblem(error: unknown): Problem {
  if (error instanceof ApiError) return { code: error.code, message: error.message, requestId: error.requestId }
  return { code: 'internal', message: error instanceof Error ? error.message : String(error), requestId: undefined }
}
