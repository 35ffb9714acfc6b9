/** The program: reads the settings, starts the server, says where it is, and stops it in order when told to. */
import { dirname, join, relative } from 'node:path'
import { loadConfig } from './config.ts'
import { armCrashPoints } from './crash-points.ts'
import { AppError, after, createLog, jsonLines, monotonicMs, openForkServer, textLines } from './kernel/index.ts'
import { type Server, openServer } from './server.ts'

const say = (text: string) => process.stdout.write(`${text}\n`)
const complain = (text: string) => process.stderr.write(`${text}\n`)

const stopMsMax = 30_000
/** Ctrl-C under npm comes twice, from the terminal and from npm. Only a later one means impatience. */
const secondSignalMs = 1_000

async function main(): Promise<void> {
  const config = loadConfig()
  if (config.LONGHAUL_TEST_CRASH_FILE !== undefined) armCrashPoints(config.LONGHAUL_TEST_CRASH_FILE)
  openForkServer()
  const isText = config.LONGHAUL_LOG_FORMAT === 'text' || (config.LONGHAUL_LOG_FORMAT === 'auto' && process.stdout.isTTY)
  // In a terminal the log is for whoever sits there: one line per request would bury what matters.
  const level = isText && config.LONGHAUL_LOG_LEVEL === 'info' ? 'warn' : config.LONGHAUL_LOG_LEVEL
  const log = createLog(
    (isText ? textLines : jsonLines)((line) => process.stderr.write(line)),
    level,
  )

  let server: Server | undefined
  let stoppingSince: number | undefined
  const stop = (signal: NodeJS.Signals) => {
    if (stoppingSince !== undefined) {
      if (monotonicMs() - stoppingSince < secondSignalMs) return
      complain('Stopping already. A second time, so at once: what is running is taken up from its journal at the next start.')
      process.exit(1)
    }
    stoppingSince = monotonicMs()
    say(`\n${signal === 'SIGINT' ? 'Stopping' : `Stopping (${signal})`} …`)
    const cancelLimit = after(stopMsMax + config.LONGHAUL_HTTP_GRACE_MS, () => process.exit(1), false)
    void (server?.stop() ?? Promise.resolve()).finally(() => {
      cancelLimit()
      say('Stopped. Runs that were under way go on at the next start.')
      process.exit(0)
    })
  }
  // While it starts, a signal waits for the start: stopping half a start is how processes are left behind.
  let early: NodeJS.Signals | undefined
  let react = (signal: NodeJS.Signals): void => void (early = signal)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => react(signal))

  server = await openServer(config, log)
  announce(server)
  log.info('ready', { url: server.url, phases: server.phases })
  react = stop
  if (early) stop(early)
}

function announce({ url, grpcUrl, credentials, phases, sandbox, model, agentNames }: Server): void {
  const total = phases.reduce((sum, { ms }) => sum + ms, 0)
  const file = relative(process.cwd(), credentials.file)
  say(`
  Longhaul is ready.  ${(total / 1_000).toFixed(1)} s: ${phases
    .filter(({ ms }) => ms >= 5)
    .map(({ phase, ms }) => `${phase} ${ms}`)
    .join(' · ')} ms

  Console   ${url}/#key=${credentials.key}
  Key       ${credentials.key}
            ${credentials.isNew ? 'made for this machine, kept in' : 'from'} ${file}, ${file === join('.longhaul', 'credentials.json') ? 'where the CLI finds it' : `where the CLI finds it with LONGHAUL_DATA_DIR=${dirname(credentials.file)}`}
${grpcUrl === undefined ? '' : `  gRPC      ${grpcUrl}\n`}  Agents    ${agentNames.join(', ') || 'none: put a folder with agent/agent.ts into the agents’ folder'}
  Model     ${model.name}${model.isOffline ? '   a rule-based stand-in, not a language model; see docs/guide/models.md' : ''}
  Sandbox   ${sandbox.driver}${sandboxNote(sandbox.missing)}

  Try       npx longhaul ask analyst "What was our ARR at the end of last quarter, by region?"
`)
}

/** One gap is told with its remedy. More are told by `status`, which has the room. */
function sandboxNote(missing: Server['sandbox']['missing']): string {
  const [first] = missing
  if (!first) return ''
  return missing.length === 1
    ? `   missing: ${first.what}. ${first.remedy}`
    : `   ${missing.length} limits cannot be enforced here; npx longhaul status names them and the remedies`
}

try {
  await main()
} catch (error) {
  if (error instanceof AppError || (error instanceof Error && error.message.startsWith('Bad settings')))
    complain(`\nLonghaul cannot start.\n${error.message}\n`)
  else complain(`\nLonghaul cannot start.\n${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`)
  process.exit(1)
}
