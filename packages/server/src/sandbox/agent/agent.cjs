// The one program of ours inside a sandbox: it starts commands and does all file work, because what happens in here
// cannot be led astray by links, pipes or devices that hostile code laid out for the server. It is started from a file
// that may be executed but not read, so the kernel lets no other process of the same user into its memory or descriptors.
// It decides nothing about safety: the server limits, checks and, in doubt, kills all of it from outside.
//
// Frames in both directions (see frames.ts): u32 length · u8 kind · u32 id · payload. Standard input and output carry them.
'use strict'
const { spawn, spawnSync } = require('node:child_process')
const fs = require('node:fs')
const { Socket, connect, createServer } = require('node:net')
const path = require('node:path')
const { O_RDONLY, O_WRONLY, O_RDWR, O_CREAT, O_NONBLOCK } = fs.constants
const O_PATH = 0o10000000 // The same on x64 and arm64; Node has no name for it.

const message = 1
const data = 2
const errorData = 3
const pieceBytes = 64 * 1024
/** How long output may still come after a command ended, from what it left running. */
const lingerMs = 250

const settings = JSON.parse(process.argv[2] ?? '{}')
const isGated = settings.holds === 'groups'
/** An image's root may have none of them. */
const [sh, ...shArguments] = settings.programs?.sh ?? ['/bin/sh']
const [prlimit, ...prlimitArguments] = settings.programs?.prlimit ?? ['/usr/bin/prlimit']
const pipes = '/run/longhaul/pipes'
/** Running commands and transfers by the id of their request. */
const active = new Map()

/** What the server was itself started with, a log file or a shell's pipe, would be passed on to every command. */
for (const name of fs.readdirSync('/proc/self/fd')) {
  const flags =
    Number(name) > 2 && fs.existsSync(`/proc/self/fdinfo/${name}`)
      ? /^flags:\s+(\d+)/m.exec(fs.readFileSync(`/proc/self/fdinfo/${name}`, 'utf8'))?.[1]
      : undefined
  if (flags !== undefined && (Number.parseInt(flags, 8) & 0o2000000) === 0) fs.closeSync(Number(name))
}

// ── Frames ──────────────────────────────────────────────────────────────────

const paused = new Set()
function send(kind, id, payload) {
  const head = Buffer.allocUnsafe(9)
  head.writeUInt32BE(5 + payload.length, 0)
  head.writeUInt8(kind, 4)
  head.writeUInt32BE(id, 5)
  process.stdout.cork() // Both in one system call.
  process.stdout.write(head)
  const isRoomLeft = process.stdout.write(payload)
  process.stdout.uncork()
  return isRoomLeft
}
const tell = (id, value) => send(message, id, Buffer.from(JSON.stringify(value)))
process.stdout.on('drain', () => {
  for (const source of paused) source.resume()
  paused.clear()
})
/** The server went away: so do we, and with us everything. */
process.stdin.on('end', () => process.exit(0))
process.stdout.on('error', () => process.exit(0))

if (settings.endsFirstProcess) process.on('exit', () => tryTo(() => process.kill(1, 'SIGTERM')))

let buffered = []
let bufferedBytes = 0
let frameBytes = 0
process.stdin.on('data', (bytes) => {
  buffered.push(bytes)
  bufferedBytes += bytes.length
  while (bufferedBytes >= 4 && bufferedBytes >= (frameBytes || 4)) {
    let all = buffered.length === 1 ? buffered[0] : Buffer.concat(buffered)
    frameBytes = 4 + all.readUInt32BE(0)
    if (all.length >= frameBytes) {
      const frame = all.subarray(0, frameBytes)
      all = all.subarray(frameBytes)
      frameBytes = 0
      receive(frame[4], frame.readUInt32BE(5), frame.subarray(9))
    }
    buffered = [all]
    bufferedBytes = all.length
  }
})

function receive(kind, id, payload) {
  if (kind !== message) return active.get(id)?.receive(kind, payload)
  const request = JSON.parse(payload.toString())
  const handle = { exec, go, kill, close, dial, more, watch, write, read, list }[request.do]
  try {
    Promise.resolve(handle(id, request)).catch((error) => fail(id, error))
  } catch (error) {
    fail(id, error)
  }
}

function fail(id, error) {
  active.get(id)?.cleanUp?.()
  active.delete(id)
  tell(id, { event: 'failed', code: String(error.code ?? 'unknown').slice(0, 64), message: String(error.message).slice(0, 1000) })
}

function refuse(code, text) {
  return Object.assign(new Error(text), { code })
}

// ── Commands ────────────────────────────────────────────────────────────────

const baseEnv = {
  PATH: '/opt/longhaul/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  HOME: '/workspace',
  USER: 'sandbox',
  LOGNAME: 'sandbox',
  SHELL: '/bin/sh',
  LANG: 'C.UTF-8',
  TZ: 'UTC',
  TERM: 'dumb',
  TMPDIR: '/tmp',
  PYTHONUNBUFFERED: '1',
  ...settings.env,
}
const shell = fs.existsSync('/bin/bash') ? '/bin/bash' : '/bin/sh'
/** Closed to its own owner, by a command or an archive, no command could begin in it to open it again. */
function openWorkspace() {
  try {
    fs.accessSync('/workspace', fs.constants.X_OK)
  } catch {
    tryTo(() => fs.chmodSync('/workspace', 0o700))
  }
}

/** Waits until the server has put it into a control group of its own, offers itself to the kernel before the agent when memory ends, and becomes the command. */
const gate = 'read -r _ <&3 || exit 125; exec 3<&-; echo 1000 2>/dev/null >/proc/self/oom_score_adj; '
/** What the loader would put into whatever waits in front of a gate: for the command alone. */
const isForLoader = ([name]) => name === 'LD_PRELOAD' || name === 'LD_AUDIT'
const withoutLoader = (env) => Object.fromEntries(Object.entries(env).filter((each) => !isForLoader(each)))
const loaded = (env) =>
  Object.entries(env)
    .filter(isForLoader)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'; `)
    .join('')
/** A process namespace for each command: with its first process, the kernel ends whatever else is in it. A user namespace is what gives the right to make it. */
const ownNamespace = ['--user', '--map-user=1000', '--map-group=1000', '--pid', '--fork', '--kill-child=KILL', '--']
/** The command is not the first process itself: that one hears no signal but SIGKILL. */
const firstProcess = '"$@"; exit $?'
/** One argument of a program may have this many bytes (`MAX_ARG_STRLEN`, less the closing zero). */
const argumentBytesMax = 128 * 1024 - 1

/**
 * A process that waits in its group already: moving one there takes the kernel some 10 ms after a pause. It takes its command as one line.
 * There is one only while no command runs, so no code but ours could ever speak to it.
 */
const spareGate = `n='
'; read -r c <&3 || exit 125; exec 3<&-; echo 1000 2>/dev/null >/proc/self/oom_score_adj; eval "$c"`
const spareAfterMs = 30
const spareLineMax = 2048
let spare
let spareTimer
const isCommandRunning = () => [...active.values()].some(({ child }) => child)
function planSpare() {
  clearTimeout(spareTimer)
  if (isGated && !spare && !isCommandRunning()) spareTimer = setTimeout(makeSpare, spareAfterMs)
}

function makeSpare() {
  if (isCommandRunning() || spare || freeSlots.length === 0) return
  const slot = openSlot('spare', undefined)
  try {
    const child = spawn(sh, [...shArguments, '-c', spareGate], {
      cwd: '/workspace',
      env: withoutLoader(baseEnv),
      detached: true,
      stdio: [slot.childIn, slot.childOut, slot.childError, 'pipe'],
    })
    spare = { child, slot }
    child.stdio[3].on('error', () => {}) // It ended; the next command starts a process of its own.
    child.on('error', () => {})
    child.on('exit', () => spare?.child === child && dropSpare())
    slot.closeChildEnds()
    if (child.pid) tell(0, { event: 'spare', pid: child.pid })
    else dropSpare()
  } catch {
    slot.close() // No room for it now.
  }
}

function dropSpare() {
  spare?.child.kill('SIGKILL')
  spare?.slot.close()
  spare = undefined
}

/** The waiting process with its command, when there is one and the command can be told to it in plain ASCII on one short line. */
function takeSpare(request, cwd, argv) {
  clearTimeout(spareTimer)
  if (!spare) return undefined
  const env = Object.entries({ ...Object.fromEntries(Object.entries(baseEnv).filter(isForLoader)), ...request.env })
  const words = [
    ...(cwd === '/workspace' ? [] : [`cd ${quote(cwd)} || exit; unset OLDPWD`]),
    ...env.map(([name, value]) => `export ${name}=${quote(value)}`),
    `exec ${argv.map(quote).join(' ')}`,
  ]
  const line = `${words.join('; ')}\n`
  const isPlain = env.every(([name]) => /^[A-Za-z_]+_[A-Za-z_]+$/.test(name) || /^[a-z]{2,}$/.test(name))
  if (!request.spare || request.input !== undefined || request.hasInput || !isPlain || line.length > spareLineMax || !/^[\x20-\x7e]*\n$/.test(line))
    return void dropSpare()
  const taken = spare
  spare = undefined
  taken.child.removeAllListeners('exit')
  taken.child.stdio[3].end(line)
  return taken
}

const quote = (text) => `'${text.replaceAll("'", `'\\''`).replaceAll('\n', `'"$n"'`)}'`

async function exec(id, request) {
  clearTimeout(spareTimer)
  if (request.bridge) await bridge()
  openWorkspace()
  const cwd = path.resolve('/workspace', request.cwd ?? '.')
  if (!fs.statSync(cwd, { throwIfNoEntry: false })?.isDirectory()) throw refuse('ENOENT', `There is no folder ${cwd}.`)
  const command = commandLine(id, request)
  const env = { ...baseEnv, ...request.env }
  const isAbsent = settings.programs !== undefined && !canBeFound(command.argv[0], cwd, env.PATH)
  const ready = takeSpare(request, cwd, command.argv)
  if (ready) return follow(id, ready.child, ready.slot, { ...command, isAbsent }, request, () => tell(id, { event: 'started' }))
  const slot = openSlot(id, request.input, request.hasInput)
  const options = { cwd, env: isGated ? withoutLoader(env) : env, detached: true }
  let child
  try {
    const stdio = [slot.childIn, slot.childOut, slot.childError]
    child = isGated
      ? spawn(sh, [...shArguments, '-c', `${gate}${loaded(env)}exec "$@"`, 'sh', ...command.argv], {
          ...options,
          stdio: [...stdio, 'pipe'],
        })
      : settings.holds === 'namespaces'
        ? spawn('/usr/bin/unshare', [...ownNamespace, '/bin/sh', '-c', firstProcess, 'sh', ...command.argv], { ...options, stdio })
        : spawn(prlimit, [...prlimitArguments, `--locks=${id}:${id}`, `--data=${settings.dataBytesMax}`, '--', ...command.argv], { ...options, stdio })
  } catch (error) {
    slot.close()
    command.cleanUp()
    throw error
  }
  slot.closeChildEnds()
  follow(id, child, slot, { ...command, isAbsent }, request, () => {
    if (!isGated) return tell(id, { event: 'started' })
    child.stdio[3].on('error', () => {}) // It ended before it was let go.
    if (child.pid) tell(id, { event: 'waiting', pid: child.pid })
  })
}

function follow(id, child, slot, command, request, announce) {
  const run = { child, slot, isEnded: false, open: 2 }
  run.cleanUp = () => {
    slot.close()
    command.cleanUp()
  }
  run.receive = (kind, payload) => {
    if (kind === data) slot.input?.write(payload, () => tell(id, { event: 'taken' }))
    else slot.input?.end()
  }
  active.set(id, run)

  forward(slot.output, data, id, request.outputBytesMax, run)
  forward(slot.error, errorData, id, request.outputBytesMax, run)
  child.on('error', (error) => fail(id, error))
  child.on('exit', (exitCode, signal) => {
    // What is between us and it may tell its end as one of its own: `unshare` says 1.
    run.exit = run.isKilled
      ? { event: 'exited', exitCode: null, signal: 'SIGKILL' }
      : { event: 'exited', exitCode, signal, ...(command.isAbsent && { isAbsent: true }) }
    if (signal !== null && settings.holds === 'namespaces') endStrays()
    if (run.open === 0) finish(id, run)
    else linger(id, run)
  })
  announce()
}

/** As whoever starts it looks for it. */
function canBeFound(program, cwd, searched = '') {
  const at = program.includes('/') ? [path.resolve(cwd, program)] : searched.split(':').map((folder) => path.resolve(cwd, folder, program))
  return at.some((file) => fs.existsSync(file))
}

/** The server has put the command into its group. */
function go(id) {
  active.get(id)?.child.stdio[3]?.end('\n')
}

function forward(source, kind, id, bytesMax, run) {
  let left = bytesMax + 1 // One more than is kept tells the server that something was cut off.
  source.on('data', (bytes) => {
    const piece = bytes.subarray(0, left)
    left -= piece.length
    if (piece.length > 0 && !send(kind, id, piece)) {
      source.pause()
      paused.add(source)
    }
  })
  source.on('error', () => {}) // 'close' follows.
  source.on('close', () => {
    paused.delete(source)
    run.open--
    if (run.open === 0 && run.exit) finish(id, run)
  })
}

/**
 * The time is that of whoever still holds the pipes. What waits for the server to take it, or for us to be let run, is not late: where
 * a pipe is held up, the time begins anew, and one look at what can be read comes before the end in any case.
 */
function linger(id, run) {
  const isHeldUp = () => paused.has(run.slot.output) || paused.has(run.slot.error)
  run.linger = setTimeout(() => setImmediate(() => run.isEnded || (isHeldUp() ? linger : finish)(id, run)), lingerMs)
}

/** The command ended. Where the server cannot end what it left running, we do. */
function finish(id, run) {
  if (run.isEnded) return
  run.isEnded = true
  clearTimeout(run.linger)
  if (!isGated) killAllOf(id, run)
  tell(id, run.exit)
}

function kill(id) {
  const run = active.get(id)
  if (!run || isGated) return
  run.isKilled = true
  killAllOf(id, run)
}

/** The server has ended what was left: the slot may serve another command. */
function close(id) {
  const ended = active.get(id)
  active.delete(id)
  ended?.cleanUp()
  planSpare()
}

// ── Connections to what listens in here ─────────────────────────────────────

/** What may be on its way to the server before it asks for more. */
const windowBytes = 256 * 1024
function dial(id, request) {
  const socket = connect({ host: 'localhost', port: request.port, allowHalfOpen: true })
  const dialled = {
    socket,
    left: windowBytes,
    cleanUp: () => socket.destroy(),
    receive(kind, payload) {
      if (kind === data) socket.write(payload, () => tell(id, { event: 'taken' }))
      else socket.end()
    },
  }
  active.set(id, dialled)
  let isOpen = false
  socket.on('connect', () => {
    isOpen = true
    tell(id, { event: 'started' })
  })
  socket.on('data', (bytes) => {
    for (let at = 0; at < bytes.length; at += pieceBytes) send(data, id, bytes.subarray(at, at + pieceBytes))
    dialled.left -= bytes.length
    if (dialled.left <= 0) socket.pause()
  })
  socket.on('end', () => tell(id, { event: 'done' }))
  socket.on('error', (error) => isOpen || fail(id, error))
  socket.on('close', () => isOpen && active.has(id) && tell(id, { event: 'exited', exitCode: null, signal: null }))
}

/** The server has passed on so much. */
function more(id, request) {
  const dialled = active.get(id)
  if (!dialled?.socket) return
  dialled.left += request.bytes
  if (dialled.left > 0) dialled.socket.resume()
}

function commandLine(id, { script, cmd, args }) {
  if (script === undefined) return { argv: [cmd, ...args], cleanUp() {} }
  if (Buffer.byteLength(script) < argumentBytesMax) return { argv: [shell, '-c', script], cleanUp() {} }
  const file = `/tmp/.script-${id}`
  fs.writeFileSync(file, script, { flag: 'wx', mode: 0o600 })
  return { argv: [shell, file], cleanUp: () => fs.rmSync(file, { force: true }) }
}

/** Programs know proxies by host and port: whoever connects there speaks to the server's proxy, through this sandbox's socket. */
const bridgePort = 3128
const bridgedMax = 128
let bridging
function bridge() {
  return (bridging ??= new Promise((resolve, reject) => {
    const server = createServer({ allowHalfOpen: true }, (inner) => {
      const outer = connect({ path: '/run/longhaul/egress/proxy.sock', allowHalfOpen: true })
      for (const [from, to] of [
        [inner, outer],
        [outer, inner],
      ]) {
        from.pipe(to)
        from.on('error', () => to.destroy())
        from.on('close', () => to.destroy())
      }
    })
    server.maxConnections = bridgedMax
    server.on('error', (error) => {
      bridging = undefined // Something else has the port: the next command tries again.
      reject(error)
    })
    server.listen(bridgePort, '127.0.0.1', resolve)
  }))
}

/** Real pipes for a command's streams: Node's own are sockets, and programs that open /dev/stdout fail on those. */
const freeSlots = Array.from({ length: settings.slotCount ?? 0 }, (_, index) => index).reverse()
function openSlot(id, input, hasInput = false) {
  const index = freeSlots.pop()
  if (index === undefined) throw refuse('EAGAIN', 'Too many commands at once.')
  const descriptors = new Set()
  const open = (file, flags) => {
    const descriptor = fs.openSync(file, flags)
    descriptors.add(descriptor)
    return descriptor
  }
  const shut = (descriptor) => {
    if (descriptors.delete(descriptor)) fs.closeSync(descriptor)
  }
  const reader = (name) => {
    const ours = open(pipeOf(index, name), O_RDONLY | O_NONBLOCK)
    const theirs = open(pipeOf(index, name), O_WRONLY)
    const socket = new Socket({ fd: ours, readable: true, writable: false })
    descriptors.delete(ours)
    return { socket, theirs }
  }
  const writer = (name) => {
    const both = open(pipeOf(index, name), O_RDWR) // With both ends there, neither waits for the other.
    const theirs = open(pipeOf(index, name), O_RDONLY)
    const ours = open(pipeOf(index, name), O_WRONLY | O_NONBLOCK)
    shut(both)
    const socket = new Socket({ fd: ours, readable: false, writable: true })
    descriptors.delete(ours)
    socket.on('error', () => {}) // The command takes no more.
    return { socket, theirs }
  }
  try {
    const out = reader('out')
    const error = reader('err')
    const piped = hasInput ? writer('in') : undefined
    const childIn = piped?.theirs ?? openInput(id, input, open)
    const childEnds = [childIn, out.theirs, error.theirs]
    let isClosed = false
    return {
      childIn,
      childOut: out.theirs,
      childError: error.theirs,
      input: piped?.socket,
      output: out.socket,
      error: error.socket,
      closeChildEnds: () => childEnds.forEach(shut),
      close() {
        if (isClosed) return
        isClosed = true
        for (const descriptor of [...descriptors]) shut(descriptor)
        for (const socket of [out.socket, error.socket, piped?.socket]) socket?.destroy()
        freeSlots.push(index)
      },
    }
  } catch (error) {
    for (const descriptor of [...descriptors]) shut(descriptor)
    freeSlots.push(index)
    throw error
  }
}

/** Where a pipe of the host would be none inside: pipes of our own, which nobody else can name, held without opening an end. */
const ownPipes = new Map()
const pipeOf = (index, name) => ownPipes.get(`${index}.${name}`) ?? `${pipes}/${index}.${name}`
function makePipes() {
  const folder = fs.mkdtempSync('/tmp/.pipes-')
  const names = freeSlots.flatMap((index) => ['in', 'out', 'err'].map((name) => `${index}.${name}`))
  const { status, stderr } = spawnSync('/usr/bin/mkfifo', ['-m', '600', '--', ...names], { cwd: folder })
  if (status !== 0) throw new Error(`There are no pipes: ${stderr}`)
  for (const name of names) ownPipes.set(name, `/proc/self/fd/${fs.openSync(path.join(folder, name), O_PATH)}`)
  fs.rmSync(folder, { recursive: true })
}

/** A file rather than a pipe: a named pipe that was written already cannot be opened once more, as readers of /dev/stdin do. */
function openInput(id, input, open) {
  if (input === undefined) return open('/dev/null', O_RDONLY)
  const file = `/tmp/.input-${id}`
  try {
    fs.writeFileSync(file, input, { flag: 'wx', mode: 0o600 })
    return open(file, O_RDONLY)
  } finally {
    fs.rmSync(file, { force: true })
  }
}

/**
 * Without control groups: each command carries its id as a limit that nothing enforces (`RLIMIT_LOCKS`), which its
 * descendants inherit whatever they do to their session, parent or environment. When no other command runs,
 * one signal to everybody reaches even a fork bomb; else everything goes that no other running command can claim.
 */
function killAllOf(id, { child }) {
  if (settings.holds === 'namespaces') return endNamespace(child)
  const others = [...active].filter(([other, run]) => other !== id && run.child && !run.isEnded)
  // A command's first process does not carry the mark yet while it is still `prlimit`: it is known by its number.
  const claimed = { marks: new Set(others.map(([other]) => String(other))), pids: new Set(others.map(([, run]) => String(run.child.pid))) }
  if (others.length === 0) {
    try {
      process.kill(-1, 'SIGKILL')
    } catch {
      // Nobody is left.
    }
    return
  }
  for (let round = 0; round < 200; round++) {
    const victims = fs.readdirSync('/proc').filter((name) => /^\d+$/.test(name) && name !== '1' && Number(name) !== process.pid && isVictim(name, claimed))
    if (victims.length === 0) return
    for (const victim of victims) {
      try {
        process.kill(Number(victim), 'SIGKILL')
      } catch {
        // It ended by itself.
      }
    }
  }
}

/** Its first process is the only child of the `unshare` that made it, and the kernel ends the rest before that is gone. */
function endNamespace(child) {
  if (child.exitCode !== null || child.signalCode !== null) return // It waits for the first process, and so for all of them.
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || parentOf(name) !== String(child.pid)) continue
    try {
      process.kill(Number(name), 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
  child.kill('SIGKILL')
}

/**
 * An `unshare` that was killed just after it had made a first process, and before that one would have ended with it, leaves it to us, or to the sandbox's
 * first process: none of ours, and what it was begun with.
 */
function endStrays() {
  const ours = new Set([String(process.pid), ...[...active.values()].map(({ child }) => String(child?.pid))])
  const begun = ['/usr/bin/unshare\0', `/bin/sh\0-c\0${firstProcess}\0`]
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name) || ours.has(name) || !['1', String(process.pid)].includes(parentOf(name))) continue
    try {
      const line = fs.readFileSync(`/proc/${name}/cmdline`, 'utf8')
      if (begun.some((start) => line.startsWith(start))) process.kill(Number(name), 'SIGKILL')
    } catch {
      // It ended by itself.
    }
  }
}

function parentOf(pid) {
  try {
    return /^PPid:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  } catch {
    return undefined // It ended by itself.
  }
}

function isVictim(pid, claimed) {
  if (claimed.pids.has(pid)) return false
  try {
    if (/^State:\s+Z/m.test(fs.readFileSync(`/proc/${pid}/status`, 'utf8'))) return false
    const limit = /^Max file locks\s+(\S+)/m.exec(fs.readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1]
    return !claimed.marks.has(limit)
  } catch {
    return false // It ended by itself.
  }
}

// ── Files ───────────────────────────────────────────────────────────────────

/** Opens a regular file and nothing else: pipes and devices are not waited for. */
function openRegular(file, flags) {
  const descriptor = fs.openSync(file, flags | O_NONBLOCK, 0o644)
  if (fs.fstatSync(descriptor).isFile()) return descriptor
  fs.closeSync(descriptor)
  throw refuse('EINVAL', `${file} is not a regular file.`)
}

/** One file: its content follows in data frames. */
function write(id, request) {
  fs.mkdirSync(path.dirname(request.path), { recursive: true })
  const descriptor = openRegular(request.path, O_WRONLY | O_CREAT)
  fs.ftruncateSync(descriptor)
  const transfer = {
    cleanUp: () => fs.closeSync(descriptor),
    receive(kind, payload) {
      try {
        if (kind === data) return void writeAll(descriptor, payload)
        active.delete(id)
        fs.closeSync(descriptor)
        tell(id, { event: 'done' })
      } catch (error) {
        fail(id, error)
      }
    },
  }
  active.set(id, transfer)
}

function writeAll(descriptor, bytes) {
  for (let at = 0; at < bytes.length;) at += fs.writeSync(descriptor, bytes, at)
}

async function read(id, request) {
  const descriptor = openRegular(request.path, O_RDONLY)
  try {
    const { size } = fs.fstatSync(descriptor)
    let left = request.bytesMax
    while (left > 0) {
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, left))
      const count = fs.readSync(descriptor, piece)
      if (count === 0) break
      left -= count
      await sendAndWait(id, piece.subarray(0, count))
    }
    const isTruncated = left === 0 && fs.readSync(descriptor, Buffer.alloc(1)) === 1
    tell(id, { event: 'done', bytes: size, isTruncated })
  } finally {
    fs.closeSync(descriptor)
  }
}

/** Changes in one message to the server, and in one round; what is more is told as such. */
const changesMax = 1_000
const changesBytes = 12_288
const gatherMs = 50
const watchesMax = 8
/** Folders of one watch. Node's own recursive watch opens one for each file, and a thousand files at once hold it up for seconds. */
const foldersMax = 2_000
/** What changes in a folder and below it, gathered for a moment, each path once. */
function watch(id, request) {
  if (!fs.statSync(request.path).isDirectory()) throw refuse('ENOTDIR', `${request.path} is not a folder.`)
  if ([...active.values()].filter(({ isWatch }) => isWatch).length >= watchesMax)
    throw refuse('EMFILE', `${watchesMax} watches are open in this sandbox already.`)
  const changed = new Set()
  let isPartial = false
  let timer
  const plan = () => (timer ??= setTimeout(tellChanges, gatherMs))
  const note = (name) => {
    if (changed.size < changesMax) changed.add(name)
    else isPartial = true
    plan()
  }
  /** By their paths in the watched folder, which itself is ''. */
  const folders = new Map()
  const add = (folder, isNew) => {
    if (folders.has(folder)) return
    if (folders.size >= foldersMax) {
      isPartial = true
      return plan()
    }
    const at = path.join(request.path, folder)
    const watcher = fs.watch(at, (kind, name) => {
      const changedPath = path.join(folder, String(name))
      note(changedPath)
      if (kind === 'rename') look(changedPath)
    })
    watcher.on('error', () => remove(folder)) // It is gone.
    folders.set(folder, watcher)
    for (const entry of fs.readdirSync(at, { withFileTypes: true })) {
      const inside = path.join(folder, entry.name)
      if (isNew) note(inside) // It may have been there before we listened.
      if (entry.isDirectory()) tryTo(() => add(inside, isNew))
    }
  }
  const remove = (folder) => {
    for (const [each, watcher] of folders) {
      if (each !== folder && !each.startsWith(`${folder}/`)) continue
      watcher.close()
      folders.delete(each)
    }
  }
  /** A link is no folder: what it leads to is not watched. */
  const look = (name) =>
    tryTo(() => {
      const info = fs.lstatSync(path.join(request.path, name), { throwIfNoEntry: false })
      if (info?.isDirectory()) add(name, true)
      else if (folders.has(name)) remove(name)
    })
  add('', false)

  function tellChanges() {
    timer = undefined
    if (process.stdout.writableNeedDrain) return plan()
    let items = []
    let bytes = 0
    const flush = (isLast) => {
      send(data, id, Buffer.from(JSON.stringify({ items, isPartial: isLast && isPartial })))
      items = []
      bytes = 0
    }
    for (const name of changed) {
      items.push([name, isThere(path.join(request.path, name)) ? 'changed' : 'removed'])
      bytes += Buffer.byteLength(name)
      if (bytes > changesBytes) flush(false)
    }
    flush(true)
    changed.clear()
    isPartial = false
  }

  active.set(id, {
    isWatch: true,
    receive() {},
    cleanUp() {
      clearTimeout(timer)
      for (const watcher of folders.values()) watcher.close()
    },
  })
  tell(id, { event: 'started' })
}

function tryTo(act) {
  try {
    act()
  } catch {
    // It changed again meanwhile, or is closed to us.
  }
}

function isThere(file) {
  try {
    return fs.lstatSync(file, { throwIfNoEntry: false }) !== undefined
  } catch {
    return false // The way to it is gone, or closed.
  }
}

async function list(id, request) {
  const folder = fs.opendirSync(request.path)
  let pending = []
  let pendingBytes = 0
  const flush = async () => {
    if (pending.length > 0) await sendAndWait(id, Buffer.from(pending.join('')))
    pending = []
    pendingBytes = 0
  }
  try {
    for (let count = 0; count < request.entriesMax; count++) {
      const entry = folder.readSync()
      if (!entry) break
      const info = fs.lstatSync(path.join(request.path, entry.name), { throwIfNoEntry: false })
      if (!info) continue
      const line = `${JSON.stringify([entry.name, info.isFile() ? 'file' : info.isDirectory() ? 'directory' : 'other', info.size])}\n`
      pending.push(line)
      pendingBytes += line.length
      if (pendingBytes > 16_384) await flush()
    }
    await flush()
    tell(id, { event: 'done' })
  } finally {
    folder.closeSync()
  }
}

function sendAndWait(id, piece) {
  if (send(data, id, piece)) return
  return new Promise((resolve) => process.stdout.once('drain', resolve))
}

process.on('uncaughtException', (error) => {
  process.stderr.write(`agent: ${error.stack}\n`)
  process.exit(70)
})
if (settings.makesPipes) makePipes()
tell(0, { event: 'ready' })
planSpare()
