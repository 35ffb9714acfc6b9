/**
 * The process in which just-bash interprets commands. What it interprets has a file system of its own in memory and no way
 * to a program, a host file or the network; Node's permission model keeps the process itself from all three but the last,
 * should the library have a hole. The server ends it when it hangs, and keeps the last tree that it sent.
 */
import { Bash, type CommandName, defineCommand, getCommandNames } from 'just-bash'
import type { TreeEntry } from './tree.ts'

export type Workspace = {
  tree: TreeEntry[]
  memoryBytesMax: number
  diskBytesMax: number
  outputBytesMax: number
  entriesMax: number
  /** There is the command `js`. */
  hasJavaScript: boolean
}

export type InterpreterRequest =
  | { do: 'exec'; script: string; args?: string[]; cwd: string; env: Record<string, string>; stdin: string; timeoutMs: number }
  | { do: 'write'; files: { path: string; bytes: Uint8Array }[] }
  | { do: 'read'; path: string; bytesMax: number }
  | { do: 'list'; path: string }

export type InterpreterReply = { tree?: TreeEntry[] } & (
  | { is: 'ready' }
  | { is: 'failed'; code: 'not_found' | 'invalid' | 'over_limit'; message: string }
  | { is: 'exited'; exitCode: number; stdout: string; stderr: string }
  | { is: 'written' }
  | { is: 'read'; bytes: Uint8Array; size: number }
  | { is: 'listed'; entries: { name: string; type: 'file' | 'directory' | 'other'; bytes: number }[] }
)

const workspace = '/workspace'
/** Run WebAssembly, whose memory no limit of Node counts. */
const uncounted: readonly string[] = ['sqlite3']

/** What a person or a model most likely tries, with the way to get it. */
const absent: Record<string, string> = {
  python3: 'Python',
  python: 'Python',
  pip: 'Python',
  pip3: 'Python',
  node: 'Node.js',
  npm: 'Node.js',
  npx: 'Node.js',
  sqlite3: 'sqlite3',
}
const orphanGraceMs = 5_000
const refusals = Object.entries(absent).map(([name, what]) =>
  defineCommand(name, async () => ({
    stdout: '',
    stderr: `${name}: ${what} cannot run in the virtual sandbox. On the server (Linux): apt-get install bubblewrap${what === 'Python' ? ' python3' : what === 'sqlite3' ? ' sqlite3' : ''}, then start it again. The shell and its tools (grep, sed, awk, sort, jq, …) work here${data.hasJavaScript ? ', and js -e CODE or js FILE runs plain JavaScript' : ''}.\n`,
    exitCode: 127,
  })),
)

async function createBash(data: Workspace): Promise<Bash> {
  const snippets = data.hasJavaScript ? [(await import('./javascript.ts')).javascript({ memoryBytesMax: Math.floor(data.memoryBytesMax / 2) })] : []
  return new Bash({
    cwd: workspace,
    env: { HOME: workspace, USER: 'sandbox', LANG: 'C.UTF-8', TMPDIR: '/tmp' },
    files: { '/tmp/.keep': '' },
    commands: getCommandNames().filter((name): name is CommandName => !uncounted.includes(name)),
    customCommands: [...refusals, ...snippets],
    executionLimits: {
      maxFileSystemBytes: Math.min(data.diskBytesMax, data.memoryBytesMax),
      maxLiveBytes: data.memoryBytesMax,
      maxInputBytes: data.memoryBytesMax,
      maxArchiveBytes: Math.min(data.diskBytesMax, data.memoryBytesMax),
      maxStringLength: 64 * 1024 * 1024,
      maxOutputSize: 64 * 1024 * 1024,
      // Long loops are ended by the command's time-out, not by their count.
      maxCommandCount: 10_000_000,
      maxLoopIterations: 100_000_000,
      maxAwkIterations: 100_000_000,
      maxSedIterations: 100_000_000,
      maxJqIterations: 10_000_000,
      maxWorkUnits: 1_000_000_000,
    },
  })
}

let bash: Bash
let data: Workspace
let lastState = ''

async function plant(given: Workspace): Promise<void> {
  data = given
  bash = await createBash(data)
  await bash.fs.mkdir(workspace, { recursive: true })
  for (const entry of data.tree) {
    const path = `${workspace}/${entry.path}`
    if (entry.type === 'directory') await bash.fs.mkdir(path, { recursive: true })
    else if (entry.type === 'link') await bash.fs.symlink(entry.target, path)
    else await bash.fs.writeFile(path, entry.bytes)
    if (entry.type !== 'link') await bash.fs.chmod(path, entry.mode)
  }
  lastState = await state()
}

/** A line for each entry, so that an unchanged tree is neither sent nor stored again. */
async function state(): Promise<string> {
  const lines: string[] = []
  for (const path of paths()) {
    const info = await bash.fs.lstat(path)
    lines.push(
      `${path}\0${info.mode}\0${info.size}\0${info.mtime.getTime()}\0${info.identity ?? ''}\0${info.isSymbolicLink ? await bash.fs.readlink(path) : ''}`,
    )
  }
  return lines.join('\n')
}

const paths = (): string[] =>
  bash.fs
    .getAllPaths()
    .filter((path) => path.startsWith(`${workspace}/`))
    .toSorted()

async function changedTree(): Promise<TreeEntry[] | undefined> {
  const now = await state()
  if (now === lastState) return undefined
  lastState = now
  const tree: TreeEntry[] = []
  for (const path of paths()) {
    const info = await bash.fs.lstat(path)
    const relative = path.slice(workspace.length + 1)
    if (info.isSymbolicLink) tree.push({ type: 'link', path: relative, target: await bash.fs.readlink(path) })
    else if (info.isDirectory) tree.push({ type: 'directory', path: relative, mode: info.mode })
    else tree.push({ type: 'file', path: relative, mode: info.mode, bytes: await bash.fs.readFileBuffer(path) })
  }
  return tree
}

async function answer(request: InterpreterRequest): Promise<InterpreterReply> {
  switch (request.do) {
    case 'exec':
      return exec(request)
    case 'write':
      for (const { path, bytes } of request.files) {
        await bash.fs.mkdir(path.slice(0, path.lastIndexOf('/')), { recursive: true })
        await bash.fs.writeFile(path, bytes)
      }
      return { is: 'written' }
    case 'read': {
      if (!(await bash.fs.stat(request.path)).isFile) return { is: 'failed', code: 'invalid', message: `${request.path} is not a regular file.` }
      const bytes = await bash.fs.readFileBuffer(request.path)
      return { is: 'read', bytes: bytes.slice(0, request.bytesMax), size: bytes.length }
    }
    case 'list': {
      const entries: Extract<InterpreterReply, { is: 'listed' }>['entries'] = []
      for (const name of (await bash.fs.readdir(request.path)).toSorted().slice(0, data.entriesMax)) {
        const info = await bash.fs.lstat(`${request.path}/${name}`)
        entries.push({ name, type: info.isFile ? 'file' : info.isDirectory ? 'directory' : 'other', bytes: info.size })
      }
      return { is: 'listed', entries }
    }
  }
}

async function exec({ script, args, cwd, env, stdin, timeoutMs }: Extract<InterpreterRequest, { do: 'exec' }>): Promise<InterpreterReply> {
  const folder = await bash.fs.stat(cwd).catch(() => undefined) // Absent.
  if (!folder?.isDirectory) return { is: 'failed', code: 'not_found', message: `The command could not be started: There is no folder ${cwd}.` }
  // The server ends this process at the time-out. Should the server be gone by then, this ends the command.
  const signal = AbortSignal.timeout(timeoutMs + orphanGraceMs)
  const { exitCode, stdout, stderr } = await bash.exec(script, { cwd, env, stdin, rawScript: true, signal, ...(args && { args }) })
  // More than is kept need not travel; one character more tells that something was cut off.
  return { is: 'exited', exitCode, stdout: stdout.slice(0, data.outputBytesMax + 1), stderr: stderr.slice(0, data.outputBytesMax + 1) }
}

function failed(error: unknown): InterpreterReply {
  const message = error instanceof Error ? error.message : String(error)
  const code = message.includes('ENOENT') || message.includes('ENOTDIR') ? 'not_found' : message.includes('ENOSPC') ? 'over_limit' : 'invalid'
  return { is: 'failed', code, message: message.slice(0, 1_000) }
}

async function reply(request: Workspace | InterpreterRequest): Promise<void> {
  if (!('do' in request)) {
    await plant(request)
    return send({ is: 'ready' })
  }
  const answered = await answer(request).catch(failed)
  const tree = await changedTree()
  send(tree ? { ...answered, tree } : answered)
}

const send = (message: InterpreterReply): void => void process.send?.(message)

process.on('message', (request: Workspace | InterpreterRequest) => void reply(request))
process.on('disconnect', () => process.exit(0))
