/** Options and helps that commands share. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import type { Invocation } from './invocation.ts'

export type Shared = { url?: string; key?: string; json?: boolean; ifMatch?: string }
/** `isGraceful`: it ends by itself after Ctrl-C, and has something to say or to tidy up. Everything else just ends. */
export type Act = (options: Shared, work: (invocation: Invocation) => Promise<number>, isGraceful?: 'graceful') => Promise<void>

export const withServer = (command: Command): Command =>
  command
    .option('--json', 'print JSON, one value a line')
    .optionsGroup('Server:')
    .option('--url <url>', 'the server’s address')
    .option('--key <key>', 'the API key')
    .optionsGroup('Options:')

/** Of a command that changes what somebody else may be changing. */
export const withEdit = (command: Command): Command =>
  withServer(command).option('--if-match <etag>', 'only while it is still as --json showed it: its etag; * is any that there is')

/** Which version runs are started on, if not on what new runs get. */
export type PickedVersion = { preview?: string; agentVersion?: string }
export const withVersion = (command: Command): Command =>
  command
    .option('--preview <name>', 'start it on the version of this name: previews list <agent>')
    .option('--agent-version <version>', 'start it on this version: agents versions <agent>')
/** As the API names it. */
export const pickedVersion = ({ preview, agentVersion }: PickedVersion): { preview?: string; version?: string } => ({
  ...(preview !== undefined && { preview }),
  ...(agentVersion !== undefined && { version: agentVersion }),
})

export const withAnswer = (command: Command): Command =>
  command
    .option('--out <folder>', 'where to save charts and other files (default: ./longhaul-answers/<run>)')
    .option('-q, --quiet', 'only the answer')
    .option('--rows <n>', 'rows of a table to show', wholeNumber(0, 100_000), 40)
    .addOption(new Option('--give-up-after <seconds>', 'how long to go on without any connection').argParser(wholeNumber(1, 86_400)).default(600))

export const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`
export const connection = `
The server is found by --url and --key, or LONGHAUL_URL and LONGHAUL_API_KEY, or the nearest
.longhaul/credentials.json from this folder upwards, which the server writes when it starts.`

export const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value]

export const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`)
    return value
  }

const units: Record<string, number> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** `90s`, `15m`, `2h`, `1d` in milliseconds. */
export function duration(text: string): number {
  const [, count, unit = ''] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  if (count === undefined) throw new InvalidArgumentError('It must be a number with a unit: 90s, 15m, 2h, 1d.')
  return Math.round(Number(count) * (units[unit] ?? 0))
}

export function positiveNumber(text: string): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0) throw new InvalidArgumentError('It must be a number above 0.')
  return value
}

/** How many times as much. */
export function ratio(text: string): number {
  const value = Number(text)
  if (!/^\d+(\.\d+)?$/.test(text) || value < 1 || value > 100) throw new InvalidArgumentError('It must be a number from 1 to 100, such as 1.5.')
  return value
}

/** Of commands that follow a run to its end. */
export type Shown = Shared & { out?: string; quiet?: boolean; rows: number; giveUpAfter: number }
export const followOptions = ({ out, quiet, rows, giveUpAfter }: Shown) => ({ out, isQuiet: quiet ?? false, rowsMax: rows, giveUpAfterMs: giveUpAfter * 1_000 })
