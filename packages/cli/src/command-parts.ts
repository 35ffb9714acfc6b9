/** What the definitions of commands have in common. */
import { type Command, InvalidArgumentError } from 'commander'
import type { Invocation } from './invocation.ts'

export type Shared = { url?: string; key?: string; json?: boolean }
/** `isGraceful`: it ends by itself after Ctrl-C, and has something to say or to tidy up. Everything else just ends. */
export type Act = (options: Shared, work: (invocation: Invocation) => Promise<number>, isGraceful?: 'graceful') => Promise<void>

export const withServer = (command: Command): Command =>
  command
    .option('--json', 'print JSON, one value a line')
    .optionsGroup('Server:')
    .option('--url <url>', 'the server’s address')
    .option('--key <key>', 'the API key')
    .optionsGroup('Options:')

export const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`

export const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value]

export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`)
    return value
  }
