/**
 * The worker process: loads one version's code, connects to the server, runs runs. Started by the server as its child; ends
 * with its connection or its parent, whichever goes first, since the server starts a new one when it wants one.
 */
import { fstatSync } from 'node:fs'
import { connect } from './connection.ts'
import { type LoadedAgent, loadAgent } from './folder.ts'
import { helloFrame, plainFrame } from './frames.ts'
import { type LogOut, captureConsole, createLogOut } from './logs.ts'
import { failSurroundings } from './surroundings.ts'
import { createWorker } from './worker.ts'

const heartbeatEveryMs = 1_000
/** How long a message that nobody acknowledges is given to leave before the process ends. */
const farewellMs = 1_000

async function main(): Promise<void> {
  const settings = takeSettings()
  endWithParent()

  let whenOpen = () => {}
  const opened = new Promise<void>((resolve) => (whenOpen = resolve))
  let whenThere = () => {}
  const there = settings.isSpare ? new Promise<void>((resolve) => (whenThere = resolve)) : undefined
  const early: Parameters<LogOut>[] = []
  const log: LogOut = (...line) => (receive ? logOut(...line) : void early.push(line))
  let receive: ReturnType<typeof createWorker>['receive'] | undefined
  const connection = connect({
    ...settings,
    onOpen: whenOpen,
    onFrame: (frame) => (frame.type === 'load' ? whenThere() : receive?.(frame)),
    onClose: (reason) => end(1, `The connection to the server is gone: ${reason}.`),
  })
  const logOut = createLogOut(connection.send)
  captureConsole(log)
  // Both come in the asynchronous context of the code at fault.
  process.on('unhandledRejection', (reason) => failSurroundings(reason) || log('error', `Unhandled rejection: ${describe(reason)}`))
  process.on('uncaughtException', (error) => failSurroundings(error) || log('error', `Uncaught exception: ${describe(error)}`))

  const beat = () => connection.send(heartbeat(process.memoryUsage.rss()))
  if (there) {
    await Promise.all([import('./index.ts'), opened]) // Most agents import it.
    const waiting = setInterval(beat, heartbeatEveryMs)
    await there
    clearInterval(waiting) // What takes long from here on is the code's.
  }
  const [loaded] = await Promise.all([load(settings.folder), opened])
  if (typeof loaded === 'string') {
    connection.send(helloFrame(null, loaded.slice(0, 20_000)))
    await connection.flush(farewellMs)
    setTimeout(() => end(1, loaded), farewellMs)
    return
  }
  connection.send(helloFrame(loaded.manifest, null))
  beat() // Its memory counts from its first run on.
  const { program, prepare } = loaded
  const prepared = prepare && (async () => prepare({ dataDir: settings.dataDir, log: (message) => log('info', message) }))()
  prepared?.catch((error: unknown) => log('error', `The agent could not prepare its data: ${describe(error)}`))
  const send = (frame: string) => {
    if (endsTurn.test(frame)) connection.send(heartbeat()) // What it took belongs to the run.
    connection.send(frame)
  }
  receive = createWorker({ program, dataDir: settings.dataDir, send, ...(prepared ? { prepared } : {}) }).receive
  for (const line of early) log(...line)
  // From the main event loop on purpose: code that blocks it stops the heartbeat, and the server notices.
  setInterval(beat, heartbeatEveryMs)
}

const endsTurn = /^\{"type":"run\.(completed|failed|continued|idle|diverged)"/

function heartbeat(memoryBytes?: number): string {
  const { user, system } = process.cpuUsage()
  return plainFrame({ type: 'heartbeat', cpuMs: (user + system) / 1_000, ...(memoryBytes !== undefined && { memoryBytes }) })
}

/** Reads the settings, and takes out of the environment what the author's code has no business with. */
function takeSettings(): { url: string; token: string; folder: string; dataDir: string; isSpare: boolean } {
  const isSpare = process.env['LONGHAUL_WORKER_SPARE'] !== undefined
  delete process.env['LONGHAUL_WORKER_SPARE']
  const take = (name: string): string => {
    const value = process.env[name]
    delete process.env[name]
    if (!value) throw new Error(`${name} is not set. Workers are started by the server, see docs/reference/worker-protocol.md.`)
    return value
  }
  return {
    url: take('LONGHAUL_WORKER_URL'),
    token: take('LONGHAUL_WORKER_TOKEN'),
    folder: take('LONGHAUL_AGENT_FOLDER'),
    dataDir: take('LONGHAUL_AGENT_DATA_DIR'),
    isSpare,
  }
}

async function load(folder: string): Promise<LoadedAgent | string> {
  try {
    return await loadAgent(folder)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

/** A killed server cannot say goodbye: its end of our standard input closes, and we get another parent. */
function endWithParent(): void {
  const parent = process.ppid
  setInterval(() => process.ppid !== parent && end(1, 'The parent process is gone.'), heartbeatEveryMs).unref()
  const input = fstatSync(0)
  if (!input.isFIFO() && !input.isSocket()) return // A terminal or /dev/null says nothing about the parent.
  process.stdin.on('end', () => end(1, 'The parent process is gone.')).on('error', () => end(1, 'The parent process is gone.'))
  process.stdin.resume()
}

function end(code: number, reason: string): never {
  process.stderr.write(`${reason}\n`)
  process.exit(code)
}

const describe = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))

main().catch((error: unknown) => end(1, describe(error)))
