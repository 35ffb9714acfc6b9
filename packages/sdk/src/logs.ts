/** What the author's code writes to `console` goes to the server, with the run it belongs to, and not faster than it can be read. */
import { formatWithOptions } from 'node:util'
import { storableText } from '@longhaul/protocol/agent'
import { plainFrame } from './frames.ts'
import { currentRun } from './surroundings.ts'

type Level = 'debug' | 'info' | 'warn' | 'error'
export type LogOut = (level: Level, message: string, run?: string) => void

const perSecondMax = 200
const messageLengthMax = 10_000

/** Sends at most so many lines in a second, and says how many it left out. */
export function createLogOut(send: (frame: string) => void, now: () => number = () => performance.now()): LogOut {
  let windowStartedAt = now()
  let sentCount = 0
  let droppedCount = 0
  const write: LogOut = (level, message, run) => {
    const text = storableText(message.length > messageLengthMax ? `${message.slice(0, messageLengthMax - 1)}…` : message)
    send(plainFrame({ type: 'log', level, message: text, ...(run ? { run } : {}) }))
  }
  return (level, message, run = currentRun()) => {
    if (now() - windowStartedAt >= 1_000) {
      if (droppedCount > 0) write('warn', `${droppedCount} log lines were left out: more than ${perSecondMax} came in a second.`)
      windowStartedAt = now()
      sentCount = 0
      droppedCount = 0
    }
    if (sentCount++ < perSecondMax) write(level, message, run)
    else droppedCount++
  }
}

/** Replaces the methods of `console` that write text. The others go through them. */
export function captureConsole(log: LogOut, target: Console = console): void {
  const at =
    (level: Level) =>
    (...values: unknown[]) =>
      log(level, formatWithOptions({ colors: false, depth: 4 }, ...values))
  Object.assign(target, { debug: at('debug'), trace: at('debug'), log: at('info'), info: at('info'), dir: at('info'), warn: at('warn'), error: at('error') })
}
