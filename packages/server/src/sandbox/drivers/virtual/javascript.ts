/**
 * The command `js` of the driver `js`: snippets of JavaScript in QuickJS, compiled to WebAssembly, which has no way to anything but what is handed in.
 * A snippet sees the interpreter's files as they were when it began; what it changes is written when it ends, also when it fails.
 */
import { posix } from 'node:path'
import { type IFileSystem, defineCommand } from 'just-bash'
import { type CustomizeVariantOptions, type QuickJSContext, type QuickJSHandle, RELEASE_SYNC, newQuickJSWASMModule, newVariant } from 'quickjs-emscripten'

/** Node has it; the types that are loaded here do not say so. */
declare const WebAssembly: { Memory: new (pages: { initial: number; maximum: number }) => NonNullable<CustomizeVariantOptions['wasmMemory']> }

type Files = Map<string, Uint8Array | 'directory'>
type Change = { path: string; to: Uint8Array | 'directory' | 'removed' }
type Outcome = { stdout: string; stderr: string; exitCode: number }

/** The library's word for it. */
const settlePromises = 'executePendingJobs'
const stackBytesMax = 128 * 1024
const traceCharactersMax = 2_000
const pageBytes = 64 * 1024
/** What the machine begins with, and cannot do with less. */
const pageCountMin = 256
const outputCharactersMax = 8 * 1024 * 1024
const roots = ['/workspace', '/tmp']
const usage = 'usage: js FILE [ARGUMENT...] | js -e CODE [ARGUMENT...] | js < FILE\n'

/** What snippets find, made of the one function that is handed in. No snippet can take it away from another: each has a machine of its own. */
const prelude = `(host) => {
  const ask = (...words) => {
    const answer = JSON.parse(host(JSON.stringify(words)))
    if (answer.error) throw Object.assign(new Error(answer.error), { code: answer.code })
    return answer.value
  }
  const show = (value) => {
    if (typeof value === 'string') return value
    if (value instanceof Error) return value + '\\n' + (value.stack ?? '')
    if (typeof value === 'function' || typeof value === 'symbol' || typeof value === 'bigint') return String(value)
    try { return JSON.stringify(value) ?? String(value) } catch { return String(value) }
  }
  const line = (stream) => (...values) => ask('print', stream, values.map(show).join(' ') + '\\n')
  globalThis.console = { log: line('stdout'), info: line('stdout'), debug: line('stdout'), warn: line('stderr'), error: line('stderr') }
  const { argv, env, stdin, cwd } = ask('about')
  globalThis.process = { argv, env, cwd: () => cwd, exit: (code = 0) => { ask('exit', code); for (;;); },
    stdout: { write: (text) => ask('print', 'stdout', String(text)) }, stderr: { write: (text) => ask('print', 'stderr', String(text)) } }
  const fs = {
    readFileSync: (path) => (path === 0 || path === '/dev/stdin' ? stdin : ask('read', path)),
    writeFileSync: (path, text) => ask('write', path, String(text)),
    appendFileSync: (path, text) => ask('write', path, (ask('exists', path) ? ask('read', path) : '') + text),
    existsSync: (path) => ask('exists', path),
    readdirSync: (path) => ask('list', path),
    mkdirSync: (path) => ask('mkdir', path),
    rmSync: (path) => ask('remove', path),
  }
  globalThis.require = (name) => {
    if (name === 'fs' || name === 'node:fs') return fs
    throw new Error('There is no module ' + name + ' here, only fs.')
  }
}`
const fileModule =
  "const fs = require('fs'); export default fs; export const { readFileSync, writeFileSync, appendFileSync, existsSync, readdirSync, mkdirSync, rmSync } = fs"

export type Limits = { memoryBytesMax: number }

/** Its memory is within `memoryBytesMax`. The server ends the process at the time-out; should nobody be left to do so, its limit of processor time does. */
export const javascript = (limits: Limits) =>
  defineCommand('js', async (given, { fs, cwd, env, stdin }) => {
    const files = await snapshot(fs)
    const isCode = given[0] === '-e'
    const [source, ...rest] = isCode ? given.slice(1) : given
    const input = Buffer.from(String(stdin), 'latin1').toString('utf8') // The shell's bytes.
    if (source === undefined && (isCode || input === '')) return { stdout: '', stderr: usage, exitCode: 2 }
    const file = posix.resolve(cwd, isCode || source === undefined ? '[code]' : source)
    const content = isCode || source === undefined ? Buffer.from(source ?? input) : files.get(file)
    if (!content || content === 'directory') return { stdout: '', stderr: `js: there is no file ${file}\n`, exitCode: 127 }
    const about = { argv: ['js', file, ...rest], env: Object.fromEntries(env), stdin: source === undefined ? '' : input, cwd }
    const { changes, ...outcome } = await run({ code: Buffer.from(content).toString('utf8'), file, files, about, limits })
    await apply(fs, changes)
    return outcome
  })

type Snippet = { code: string; file: string; files: Files; about: { cwd: string } & Record<string, unknown>; limits: Limits }

/** A machine of its own for each: what one did to its objects or memory, the next does not find. */
async function run({ code, file, files, about, limits }: Snippet): Promise<Outcome & { changes: Change[] }> {
  const changes: Change[] = []
  const out = { stdout: '', stderr: '' }
  let exitCode: number | undefined
  const at = (path: unknown) => posix.resolve(about.cwd, String(path))
  const read = (path: unknown): string => {
    const found = files.get(at(path))
    if (found === undefined) throw problem('ENOENT', path)
    if (found === 'directory') throw problem('EISDIR', path)
    return Buffer.from(found).toString('utf8')
  }
  const change = (path: unknown, to: Change['to']) => {
    const where = at(path)
    if (!roots.some((root) => where.startsWith(`${root}/`))) throw problem('EACCES', path)
    for (let above = posix.dirname(where); !files.has(above) && above !== '/'; above = posix.dirname(above)) files.set(above, 'directory')
    if (to !== 'removed') files.set(where, to)
    else for (const each of [...files.keys()]) if (each === where || each.startsWith(`${where}/`)) files.delete(each)
    changes.push({ path: where, to })
  }
  const answers: Record<string, (one?: unknown, two?: unknown) => unknown> = {
    about: () => about,
    print(stream, text) {
      const name = stream === 'stderr' ? 'stderr' : 'stdout'
      if (out[name].length < outputCharactersMax) out[name] += String(text)
    },
    exit: (status) => void (exitCode ??= Number(status) & 255),
    read,
    exists: (path) => files.has(at(path)),
    list(path) {
      if (files.get(at(path)) !== 'directory') throw problem('ENOENT', path)
      return [...files.keys()].filter((each) => posix.dirname(each) === at(path) && each !== at(path)).map((each) => posix.basename(each))
    },
    write: (path, text) => change(path, Buffer.from(String(text))),
    mkdir: (path) => change(path, 'directory'),
    remove: (path) => change(path, 'removed'),
  }

  // QuickJS's own limit counts next to nothing in WebAssembly; the memory that it is given cannot grow further.
  const maximum = Math.max(pageCountMin, Math.floor(limits.memoryBytesMax / pageBytes))
  const wasmMemory = new WebAssembly.Memory({ initial: pageCountMin, maximum })
  const machine = (await newQuickJSWASMModule(newVariant(RELEASE_SYNC, { wasmMemory }))).newRuntime()
  machine.setMaxStackSize(stackBytesMax)
  machine.setInterruptHandler(() => exitCode !== undefined)
  machine.setModuleLoader(
    (name) => (name === 'fs' || name === 'node:fs' ? fileModule : read(name)),
    (from, name) => (name.startsWith('.') ? posix.resolve(posix.dirname(from), name) : name),
  )
  const context = machine.newContext()
  const fail = (error: QuickJSHandle) => {
    if (exitCode !== undefined) return // It was asked to end.
    const thrown: unknown = context.dump(error)
    // Where there is no memory even for the error, nothing is thrown. Any other shape is only shown.
    const { name, message, stack = '' } = Object(thrown ?? { name: 'InternalError', message: 'out of memory' }) as Record<string, unknown>
    out.stderr += typeof message === 'string' ? `${name}: ${message}\n${String(stack).slice(0, traceCharactersMax)}` : `js: ${JSON.stringify(thrown)}\n`
    exitCode = 1
  }
  try {
    hand(context, (words) => {
      try {
        const [name = '', ...rest] = JSON.parse(words) as unknown[] // Of ours: the prelude's.
        return JSON.stringify({ value: answers[String(name)]?.(...rest) })
      } catch (error) {
        const { message, code } = error as Error & { code?: string } // Made here.
        return JSON.stringify({ error: message, code })
      }
    })
    const result = context.evalCode(code, file, { type: 'module' })
    if (result.error) fail(result.error)
    else {
      const settled = machine[settlePromises]()
      if (settled.error) fail(settled.error)
      const state = context.getPromiseState(result.value)
      if (state.type === 'rejected') fail(state.error)
      if (state.type === 'pending' && exitCode === undefined) {
        out.stderr += 'js: it waits for something that never comes\n'
        exitCode = 13
      }
    }
  } catch (error) {
    out.stderr += `js: ${error instanceof RangeError ? 'the stack is full' : String(error)}\n` // The machine is not used again.
    exitCode = 1
  }
  return { ...out, exitCode: exitCode ?? 0, changes }
}

function hand(context: QuickJSContext, host: (words: string) => string): void {
  const handed = context.newFunction('host', (words) => context.newString(host(context.getString(words))))
  const made = context.unwrapResult(context.evalCode(prelude, 'prelude'))
  context.unwrapResult(context.callFunction(made, context.undefined, handed)).dispose()
}

async function snapshot(fs: IFileSystem): Promise<Files> {
  const files: Files = new Map()
  for (const path of fs.getAllPaths().toSorted()) {
    if (!roots.some((root) => path === root || path.startsWith(`${root}/`))) continue
    const info = await fs.stat(path).catch(() => undefined) // A link that leads nowhere.
    if (info) files.set(path, info.isDirectory ? 'directory' : await fs.readFileBuffer(path))
  }
  return files
}

async function apply(fs: IFileSystem, changes: readonly Change[]): Promise<void> {
  for (const { path, to } of changes) {
    if (to === 'removed') await fs.rm(path, { recursive: true, force: true })
    else if (to === 'directory') await fs.mkdir(path, { recursive: true })
    else {
      await fs.mkdir(posix.dirname(path), { recursive: true })
      await fs.writeFile(path, to)
    }
  }
}

const problem = (code: string, path: unknown) => Object.assign(new Error(`${code}: ${String(path)}`), { code })
