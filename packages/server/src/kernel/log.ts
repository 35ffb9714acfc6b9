import { wallClock } from './clock.ts'

export const logLevels = ['debug', 'info', 'warn', 'error'] as const
export type LogLevel = (typeof logLevels)[number]
type Data = Record<string, unknown>

/** Structured log. The message is constant, the data apart. No secrets, prompts or tool results above `debug`. */
export type Log = Record<LogLevel, (message: string, data?: Data) => void> & { child(data: Data): Log }

export type LogSink = (level: LogLevel, message: string, data: Data) => void

export function createLog(sink: LogSink, level: LogLevel = 'info', bound: Data = {}): Log {
  const least = logLevels.indexOf(level)
  const isBound = Object.keys(bound).length > 0
  const at =
    (of: LogLevel) =>
    (message: string, data: Data = {}) => {
      if (logLevels.indexOf(of) >= least) sink(of, message, isBound ? { ...bound, ...data } : data)
    }
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (data) => createLog(sink, level, { ...bound, ...data }),
  }
}

export const jsonLines =
  (write: (line: string) => void): LogSink =>
  (level, message, data) =>
    write(`${JSON.stringify({ at: wallClock().toISOString(), level, message, ...plain(data) })}\n`)

/** For people at a terminal: time, level where it matters, message, data. */
export const textLines =
  (write: (line: string) => void): LogSink =>
  (level, message, data) => {
    const facts = Object.entries(plain(data))
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    write(
      `${wallClock().toISOString().slice(11, 19)} ${level === 'info' ? '' : `${level.toUpperCase()} `}${message}${facts.length > 0 ? `  ${facts.join(' ')}` : ''}\n`,
    )
  }

export const silentLog: Log = createLog(() => {})

/** Errors do not survive `JSON.stringify`; name, message and stack do. */
function plain(data: Data): Data {
  const show = (value: unknown): unknown =>
    value instanceof Error ? { name: value.name, message: value.message, stack: value.stack, cause: value.cause && show(value.cause) } : value
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, show(value)]))
}
