import { CommanderError } from 'commander'
import type { Deprecation } from '@longhaul/sdk/client'
import type { Credentials } from './credentials.ts'
import { exitCodes } from './exit-codes.ts'
import type { World } from './invocation.ts'
import { Interrupted } from './problem.ts'
import type { Act } from './options.ts'
import { createProgram } from './program.ts'

/** Runs one command line and returns its exit code. Touches nothing but the `world` it is given, the file system and the server. */
export async function runCli(args: string[], version: string, world: World): Promise<number> {
  let exit: number = exitCodes.done
  let credentials: Credentials | undefined

  const act: Act = async ({ url, key, json: isJson = false, ifMatch }, work, isGraceful) => {
    const { openTerminal } = await import('./show/terminal.ts')
    const find = async () => {
      const { findCredentials } = await import('./credentials.ts')
      return (credentials ??= await findCredentials({ url, key }, world.env, world.folder))
    }
    const working = work({
      world,
      terminal: openTerminal(world.stdout, world.env),
      isJson,
      printJson: (value) => void world.stdout.write(`${JSON.stringify(value)}\n`),
      credentials: find,
      async client() {
        const [found, { createClient }] = await Promise.all([find(), import('@longhaul/sdk/client')])
        return createClient({ ...found, onDeprecated: warnOnce(world), ...(ifMatch !== undefined && { headers: { 'if-match': ifMatch } }) })
      },
    })
    exit = await (isGraceful ? working : Promise.race([working, whenAborted(world.interrupted)]))
  }

  const program = createProgram(version, act)
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => void world.stdout.write(text),
      writeErr: (text) => void world.stderr.write(text),
      getOutHelpWidth: () => 100,
      getErrHelpWidth: () => 100,
    })
  }
  try {
    if (args.length === 0) program.outputHelp() // What somebody who typed nothing wants: no error.
    else await program.parseAsync(args, { from: 'user' })
    return exit
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.done : 2 // `invalid`; the catalogue itself is not loaded for this.
    if (error instanceof Interrupted) return exitCodes.interrupted
    const { explain } = await import('./explain.ts')
    const { exit: code, message, remedy, ...about } = explain(error, credentials)
    if (args.includes('--json')) world.stdout.write(`${JSON.stringify({ type: 'error', ...about, message, remedy })}\n`)
    else await printError(world, message, remedy)
    return code
  }
}

/** Beside the output, so that a program that reads it is not disturbed. */
function warnOnce({ stderr }: World): (about: Deprecation) => void {
  const told = new Set<string>()
  return ({ operation, sunset, link }) => {
    if (told.has(operation)) return
    told.add(operation)
    stderr.write(
      `  ! ${operation} is deprecated${sunset === undefined ? '' : ` and may be gone after ${sunset}`}.${link === undefined ? '' : ` See ${link}`}\n`,
    )
  }
}

const whenAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => (signal.aborted ? reject(signal.reason) : signal.addEventListener('abort', () => reject(signal.reason), { once: true })))

async function printError(world: World, message: string, remedy: string[]): Promise<void> {
  const [{ openTerminal }, { printable, wrap }] = await Promise.all([import('./show/terminal.ts'), import('./show/text.ts')])
  const { paint, print, width } = openTerminal(world.stderr, world.env)
  const lines = [...wrap(printable(message), width - 11), ...remedy.flatMap((line) => (line.startsWith('npx ') ? [line] : wrap(line, width - 11)))]
  print(...lines.map((line, at) => (at === 0 ? `  ${paint('red', '✗')} ${line}` : `    ${line}`)))
}
