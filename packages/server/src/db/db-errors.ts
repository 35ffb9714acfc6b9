import { AppError } from '../kernel/index.ts'

/** What the system says when PostgreSQL is not there or goes away. */
const socketCodes = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ENOENT',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENETDOWN',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ERR_SOCKET_CLOSED',
])

/** What PostgreSQL says when it starts, stops, is full or has become a standby. Class 08 is connection exceptions. */
const sqlStates = new Set(['57P01', '57P02', '57P03', '57P05', '53300', '25006'])

/** The driver gives these no code, so there is nothing but the message to tell them by. A test provokes each with the real driver. */
const driverMessages = [
  /^Connection terminated/,
  /^Client has encountered a connection error/,
  /^timeout exceeded when trying to connect$/,
  /^Client was closed/,
  /^Query read timeout$/,
  /^timeout expired$/,
]

/** True when the database was not there or went away. Of a commit it means that its outcome is unknown: read back before acting on it. */
export function isConnectionLost(error: unknown): boolean {
  if (error instanceof AppError) return isConnectionLost(error.cause)
  if (!(error instanceof Error)) return false
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  if (code !== undefined) return socketCodes.has(code) || sqlStates.has(code) || /^08...$/.test(code)
  if (error instanceof AggregateError) return error.errors.some(isConnectionLost) // `localhost` tried as ::1 and as 127.0.0.1.
  return driverMessages.some((known) => known.test(error.message))
}

/** PostgreSQL's five-character code for why it refused a statement, if that is what `error` is. */
export function sqlState(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) ? code : undefined
}

/** Codes that the stores act on. */
export const uniqueViolation = '23505'

/** Until somebody makes room, the database reads and refuses to write. */
const diskFull = '53100'

/** The error to throw for whatever the driver threw. Refused statements stay as they are, for `sqlState`. */
export function toDbError(error: unknown): unknown {
  if (error instanceof AppError) return error
  if (sqlState(error) === diskFull)
    return new AppError('unavailable', 'The database has no room left on its disk. Nothing was lost; it works again when there is room.', error)
  if (!isConnectionLost(error)) return error
  return new AppError('unavailable', 'The database is not answering. Nothing was lost; try again.', error)
}
