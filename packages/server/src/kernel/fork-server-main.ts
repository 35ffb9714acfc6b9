/** The fork server's process: starts what it is told to and says what became of it. Nothing else is imported, so that it stays small. */
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { type Socket, connect } from 'node:net'
import type { ForkReport, ForkRequest } from './fork-server.ts'

const running = new Map<number, ChildProcess>()

process.on('message', (request: ForkRequest) => {
  if (request.type === 'run') run(request)
  else if (request.type === 'kill') running.get(request.id)?.kill('SIGKILL')
  else void start(request)
})
// Whom we started for has ended, however: those that are to end with us do.
process.on('disconnect', () => process.exit())
// Whoever stops a service may tell all of its processes. The server then hands over what is under way first, with those that we have started.
for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => {})

function report(what: ForkReport): void {
  process.send?.(what, undefined, undefined, () => {}) // Nobody is there any more.
}

type Asked<Type> = Extract<ForkRequest, { type: Type }>

function run({ id, program, args, env, outputMax, timeoutMs }: Asked<'run'>): void {
  execFile(program, args, { env, maxBuffer: outputMax, timeout: timeoutMs, killSignal: 'SIGKILL' }, (error, stdout, stderr) => {
    const code = error === null ? 0 : typeof error.code === 'number' ? error.code : null
    report({ type: 'ran', id, ...(error && { problem: error.message }), code, stdout, stderr })
  })
}

async function start({ id, program, args, env, cwd, isDetached, tokens, socket }: Asked<'start'>): Promise<void> {
  let streams: (Socket | undefined)[] = []
  try {
    streams = await Promise.all(tokens.map((token) => (token === null ? undefined : openStream(socket, token))))
    const child = spawn(program, args, { env, cwd, detached: isDetached, stdio: streams.map((stream) => stream ?? 'ignore') })
    child.on('error', (error) => {
      if (child.pid === undefined) report({ type: 'failed', id, problem: error.message })
    })
    if (child.pid === undefined) return
    running.set(id, child)
    child.on('exit', (code, signal) => {
      running.delete(id)
      report({ type: 'exited', id, code, signal })
    })
    report({ type: 'started', id, pid: child.pid })
  } catch (error) {
    report({ type: 'failed', id, problem: error instanceof Error ? error.message : String(error) })
  } finally {
    // The program has its own by now.
    for (const stream of streams) stream?.destroy()
  }
}

/** The program's end. Nothing may be read here: what comes is for the program. */
function openStream(path: string, token: string): Promise<Socket> {
  const stream = connect({ path })
  stream.pause()
  return new Promise((resolve, reject) => {
    stream.once('error', reject)
    stream.once('connect', () =>
      stream.write(token, () => {
        // As programs expect of theirs. Node itself sees to it for the first three alone.
        handleOf(stream).setBlocking(true)
        resolve(stream)
      }),
    )
  })
}

/** Node has no public word for it. */
const handleOf = (stream: Socket) => Reflect.get(stream, '_handle') as { setBlocking(isBlocking: boolean): number }
