/** Turns whatever went wrong into a cause, a remedy and an exit code. */
import { errorCodes } from '@longhaul/protocol'
import type { ErrorCode } from '@longhaul/protocol'
import { ApiError } from '@longhaul/sdk/client'
import type { Credentials } from './credentials.ts'
import { Problem } from './problem.ts'

export type Explained = { code: ErrorCode; message: string; remedy: string[]; requestId?: string | undefined; exit: number }

export function explain(error: unknown, credentials: Credentials | undefined): Explained {
  if (error instanceof Problem) return { code: error.code, message: error.message, remedy: error.remedy, exit: errorCodes[error.code].exit }
  if (error instanceof ApiError)
    return { code: error.code, message: error.message, remedy: remedyOf(error, credentials), requestId: error.requestId, exit: errorCodes[error.code].exit }
  const message = error instanceof Error ? (error.stack ?? error.message) : String(error)
  return { code: 'internal', message: `A fault in the command itself: ${message}`, remedy: [], exit: errorCodes.internal.exit }
}

function remedyOf(error: ApiError, credentials: Credentials | undefined): string[] {
  switch (error.code) {
    case 'unauthenticated':
      if (credentials?.keyFrom.startsWith('longhaul login')) return ['You were signed out. Sign in again: npx longhaul login']
      return [
        `The key came from ${credentials?.keyFrom ?? 'nowhere'}. It may have been deleted, or be another server's.`,
        'A restart of the server with npm start writes a fresh .longhaul/credentials.json.',
      ]
    case 'forbidden':
      return ['Someone who may manage keys can make one that may:', 'npx longhaul keys create <name> --permission …']
    case 'not_offered':
      return ['Another key does not help. Take what there is, or ask whoever operates the server.']
    case 'step_up_required':
      return ['npx longhaul me step-up', 'Then give this command again.']
    case 'precondition_failed':
      return ['Look at it again (--json shows its etag), and give the command with that.']
    case 'unavailable':
      if (error.status === 0) return [`Is the server running? npm start starts it. The address came from ${credentials?.urlFrom ?? 'nowhere'}.`]
      return ['Try again. Runs that were started are not lost.']
    case 'internal':
      return error.requestId ? [`The server’s log has the cause under the request id ${error.requestId}.`] : []
    default:
      return []
  }
}
