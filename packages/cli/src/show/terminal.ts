import { styleText } from 'node:util'
import { cut } from './text.ts'

/** What the program talks to. Real streams in `main.ts`, strings in tests. */
export type Stream = { write(text: string): unknown; isTTY?: boolean | undefined; columns?: number | undefined }
export type Style = 'dim' | 'bold' | 'red' | 'green' | 'yellow' | 'cyan'

export type Terminal = {
  /** Columns to write in. */
  readonly width: number
  /** Someone is watching: lines may be drawn over. */
  readonly isLive: boolean
  readonly paint: (style: Style, text: string) => string
  print(...lines: string[]): void
  /** One line at the bottom that says what is going on, drawn over as it changes; nothing where nobody watches. `undefined` removes it. */
  status(line: (() => string) | undefined): void
}

const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const frameMs = 90
const eraseLine = '\r\u001b[2K'

export function openTerminal(stream: Stream, env: Record<string, string | undefined>): Terminal {
  const isLive = stream.isTTY === true && env['TERM'] !== 'dumb'
  const hasColour = env['FORCE_COLOR'] ? env['FORCE_COLOR'] !== '0' : isLive && !env['NO_COLOR']
  const asked = Number(env['COLUMNS'])
  const widthNow = () => Math.min(Math.max(40, stream.columns ?? (Number.isInteger(asked) && asked > 0 ? asked : 80)), 120)
  const paint = (style: Style, text: string) => (hasColour && text ? styleText(style, text, { validateStream: false }) : text)

  let line: (() => string) | undefined
  let timer: NodeJS.Timeout | undefined
  let frame = 0
  const draw = () => {
    if (!line) return
    const spinner = frames[frame++ % frames.length] ?? ''
    // One column is left free: a terminal that wraps in its last column would leave rubbish behind.
    stream.write(`${eraseLine}  ${paint('cyan', spinner)} ${paint('dim', cut(line(), widthNow() - 5))}`)
  }
  return {
    get width() {
      return widthNow()
    },
    isLive,
    paint,
    print(...lines) {
      stream.write(`${timer ? eraseLine : ''}${lines.map((text) => `${text}\n`).join('')}`)
      if (timer) draw()
    },
    status(next) {
      if (!isLive) return
      line = next
      if (next && !timer) {
        stream.write('\u001b[?25l')
        timer = setInterval(draw, frameMs)
        timer.unref()
        draw()
      } else if (!next && timer) {
        clearInterval(timer)
        timer = undefined
        stream.write(`${eraseLine}\u001b[?25h`)
      }
    },
  }
}
