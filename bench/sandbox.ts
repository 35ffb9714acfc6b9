/** How fast sandboxes are, beside the bare programs and bare bubblewrap on the same machine in the same run. */
import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Readable } from 'node:stream'
import { runProgram, silentLog } from '../packages/server/src/kernel/index.ts'
import { gapNames, openSandboxes, type Sandbox } from '../packages/server/src/sandbox/index.ts'
import { importFrom, installPeer } from './peers/install.ts'
import { familyOf } from '../packages/server/src/sandbox/processes.ts'

type Line = { figure: string; value: number; unit: string; n: number }
type Emit = (line: Line) => void

const owner = { tenantId: 'bench' }
const never = new AbortController().signal
const rounds = 40
const programs: [name: string, cmd: string, args: string[]][] = [
  ['true', 'true', []],
  ['python', '/usr/bin/python3', ['-c', '0']],
  ['node', 'node', ['-e', '0']],
]

export async function sandboxBench(emit: Emit): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'longhaul-bench-'))
  try {
    const startedMs = performance.now()
    const sandboxes = await openSandboxes({ driver: 'auto', root, log: silentLog, accept: gapNames })
    const { driver, languages } = sandboxes.capabilities
    const open: Open = (id) => sandboxes.open(id, { owner })
    emit({ figure: `${driver}_open_ms`, value: performance.now() - startedMs, unit: 'ms', n: 1 })
    try {
      const possible = programs.filter(([name]) => name === 'true' || languages.includes(name === 'python' ? 'python3' : name))
      await lives(open, driver, emit)
      await commands(await sandboxes.open('warm', { owner }), possible, emit)
      if (driver === 'bwrap') {
        await idleMemory(open, emit)
        await held(open, emit)
        await bare(possible, emit)
        await sandboxRuntime(possible, emit)
        await trees(open, emit)
        await throughput(await sandboxes.open('loud', { owner }), emit)
      }
    } finally {
      await sandboxes.stop()
    }
    if (driver === 'bwrap') await pooled(root, emit)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

type Open = (id: string) => Promise<Sandbox>

/** The same where some are started ahead of time: what a caller waits from asking for a sandbox to its first answer. */
async function pooled(root: string, emit: Emit): Promise<void> {
  const size = 4
  const sandboxes = await openSandboxes({ driver: 'bwrap', root, log: silentLog, accept: gapNames, poolSize: size })
  const isFull = async () => {
    const warm = () => readdirSync(root).filter((name) => name.startsWith('pool-') && existsSync(join(root, name, 'live.json'))).length
    while (warm() < size) await new Promise((resolve) => setTimeout(resolve, 20))
    await new Promise((resolve) => setTimeout(resolve, 300)) // The last one has run its first command then.
  }
  try {
    const create: number[] = []
    const both: number[] = []
    for (let i = 0; i < 20; i++) {
      await isFull()
      const startedMs = performance.now()
      const sandbox = await sandboxes.open(`pooled-${i}`, { owner })
      create.push(performance.now() - startedMs)
      await run(sandbox, 'true')
      both.push(performance.now() - startedMs)
      await sandbox.destroy()
    }
    percentiles('bwrap_create_warm', create, emit)
    percentiles('bwrap_create_warm_and_first_command', both, emit)
    const startedMs = performance.now()
    const all = await Promise.all(
      Array.from({ length: 100 }, async (_, i) => {
        const sandbox = await sandboxes.open(`hundred-${i}`, { owner })
        await run(sandbox, 'true')
        return sandbox
      }),
    )
    emit({ figure: 'bwrap_create_100_at_once_ms', value: performance.now() - startedMs, unit: 'ms', n: 100 })
    await Promise.all(all.map((each) => each.destroy()))
  } finally {
    await sandboxes.stop()
  }
}

/** 50 MB in 2,000 files: into another sandbox, into an archive, and out of it; beside it what `cp` takes for the same on the host. */
async function trees(open: Open, emit: Emit): Promise<void> {
  const source = await open('tree')
  await run(source, 'sh', ['-c', 'mkdir -p t; for d in $(seq 20); do mkdir t/$d; head -c 2500000 /dev/urandom | split -b 25000 - t/$d/; done'])
  const fork: number[] = []
  const both: number[] = []
  const pack: number[] = []
  const unpack: number[] = []
  for (let i = 0; i < 8; i++) {
    const target = await open(`tree-${i}`)
    const startedMs = performance.now()
    if (!source.trees) throw new Error('This driver has no archives.')
    await target.trees?.copyFrom(source.trees)
    fork.push(performance.now() - startedMs)
    await run(target, 'true')
    both.push(performance.now() - startedMs)
    await target.destroy()
    const pieces: Buffer[] = []
    pack.push(
      await timed(async () => {
        const tree = await source.trees?.pack('/workspace', true)
        for await (const piece of tree?.stream ?? []) pieces.push(piece as Buffer)
        await tree?.done
      }),
    )
    const other = await open(`restored-${i}`)
    unpack.push(await timed(() => other.trees?.unpack('/workspace', Readable.from(pieces))))
    await other.destroy()
  }
  percentiles('bwrap_fork_50mb', fork, emit)
  percentiles('bwrap_fork_50mb_and_first_command', both, emit)
  percentiles('bwrap_snapshot_50mb', pack, emit)
  percentiles('bwrap_restore_50mb', unpack, emit)
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-bare-'))
  execFileSync('sh', [
    '-c',
    'mkdir -p "$1/a/t"; for d in $(seq 20); do mkdir "$1/a/t/$d"; head -c 2500000 /dev/urandom | split -b 25000 - "$1/a/t/$d/"; done',
    'sh',
    folder,
  ])
  let count = 0
  const copies: number[] = []
  for (let i = 0; i < 8; i++) copies.push(await timed(() => runBare(['cp', '-a', join(folder, 'a'), join(folder, `b${count++}`)])))
  percentiles('bare_cp_50mb', copies, emit)
  rmSync(folder, { recursive: true })
  await source.destroy()
}

/** How fast output leaves a sandbox, against a pipe on the host. */
async function throughput(sandbox: Sandbox, emit: Emit): Promise<void> {
  const megabytes = 200
  const script = `yes 'a line of a log, as programs write them' | head -c ${megabytes}M`
  const inside = await timed(() => sandbox.exec({ script, timeoutMs: 60_000 }, { signal: never, outputBytesMax: 2 ** 30, isKept: false, onOutput: () => {} }))
  emit({ figure: 'bwrap_stdout_mb_per_second', value: megabytes / (inside / 1_000), unit: 'MB/s', n: 1 })
  const bareMs = await timed(
    () =>
      new Promise((resolve) => {
        const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] })
        child.stdout.on('data', (piece: Buffer) => piece.toString())
        child.on('close', resolve)
      }),
  )
  emit({ figure: 'bare_stdout_mb_per_second', value: megabytes / (bareMs / 1_000), unit: 'MB/s', n: 1 })
  await sandbox.destroy()
}

/** From nothing to the first answer, and back to nothing. */
async function lives(open: Open, driver: string, emit: Emit): Promise<void> {
  const create: number[] = []
  const first: number[] = []
  const stop: number[] = []
  const again: number[] = []
  for (let i = 0; i < rounds; i++) {
    let sandbox: Sandbox | undefined
    create.push(await timed(async () => (sandbox = await open(`life-${i}`))))
    first.push(await timed(() => run(sandbox, 'true')))
    stop.push(await timed(() => sandbox?.stop()))
    again.push(await timed(async () => (sandbox = await open(`life-${i}`))))
    await sandbox?.destroy()
  }
  percentiles(`${driver}_create_cold`, create, emit)
  percentiles(`${driver}_first_command`, first, emit)
  percentiles(`${driver}_create_again`, again, emit)
  percentiles(`${driver}_stop`, stop, emit)
  const together = 20
  const startedMs = performance.now()
  const all = await Promise.all(
    Array.from({ length: together }, async (_, i) => {
      const sandbox = await open(`many-${i}`)
      await run(sandbox, 'true')
      return sandbox
    }),
  )
  emit({ figure: `${driver}_create_20_at_once_ms`, value: performance.now() - startedMs, unit: 'ms', n: together })
  await Promise.all(all.map((each) => each.destroy()))
}

async function commands(sandbox: Sandbox, possible: typeof programs, emit: Emit): Promise<void> {
  for (const [name, cmd, args] of possible) {
    await run(sandbox, cmd, args) // What is read from disk once is read.
    percentiles(`${sandbox.driver}_exec_${name}`, await repeat(() => run(sandbox, cmd, args)), emit)
    percentiles(`${sandbox.driver}_exec_${name}_after_pause`, await afterPauses(() => run(sandbox, cmd, args)), emit)
  }
  const content = Buffer.alloc(100_000, 'x').toString('base64')
  percentiles(`${sandbox.driver}_write_100kb`, await repeat(() => sandbox.files({ action: 'write', files: [{ path: 'file', base64: content }] })), emit)
  percentiles(`${sandbox.driver}_read_100kb`, await repeat(() => sandbox.files({ action: 'read', path: 'file', bytesMax: 200_000 })), emit)
  await sandbox.destroy()
}

function rollupOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  } catch {
    return '' // It ended meanwhile.
  }
}

/** How long a server of this size does nothing else at a time while sandboxes come and go. */
async function held(open: Open, emit: Emit): Promise<void> {
  const ballast = Buffer.alloc(150_000_000, 1)
  const delays = monitorEventLoopDelay({ resolution: 1 })
  delays.enable()
  for (let i = 0; i < 20; i++) await (await open(`held-${i}`)).destroy()
  delays.disable()
  for (const share of [50, 99, 100]) {
    emit({ figure: `bwrap_server_of_${ballast.length / 1e6}_mb_held_up_p${share}_ms`, value: delays.percentile(share) / 1e6 - 1, unit: 'ms', n: delays.count })
  }
}

/** What an idle sandbox costs that nothing shares with it: its processes' private and proportional memory. */
async function idleMemory(open: Open, emit: Emit): Promise<void> {
  const before = new Set(familyOf(process.pid))
  const count = 8
  const all = await Promise.all(Array.from({ length: count }, (_, i) => open(`idle-${i}`)))
  for (const each of all) await run(each, 'true')
  const ours = familyOf(process.pid).filter((pid) => !before.has(pid))
  for (const [figure, field] of [
    ['bwrap_idle_pss_mb', 'Pss'],
    ['bwrap_idle_private_mb', 'Private_Dirty'],
  ] as const) {
    const kilobytes = ours.reduce((sum, pid) => sum + Number(new RegExp(`^${field}:\\s+(\\d+)`, 'm').exec(rollupOf(pid))?.[1] ?? 0), 0)
    emit({ figure, value: kilobytes / 1024 / count, unit: 'MB', n: count })
  }
  await Promise.all(all.map((each) => each.destroy()))
}

/** The same programs without us: on the host, and in the least that bubblewrap can do. */
async function bare(possible: typeof programs, emit: Emit): Promise<void> {
  const user = process.getuid?.() === 0 ? ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups', '--'] : []
  const bubblewrap = [
    ...user,
    'bwrap',
    '--unshare-all',
    '--unshare-user',
    '--die-with-parent',
    '--ro-bind',
    '/',
    '/',
    '--proc',
    '/proc',
    '--dev',
    '/dev',
    '--tmpfs',
    '/tmp',
    '--',
  ]
  for (const [name, cmd, args] of possible) {
    const line = [cmd === 'node' ? process.execPath : cmd, ...args]
    percentiles(`bare_${name}`, await repeat(() => runBare(line)), emit)
    percentiles(`bare_${name}_after_pause`, await afterPauses(() => runBare(line)), emit)
    // As much as a sandbox has on two.
    if (name === 'node') percentiles('bare_node_one_processor', await repeat(() => runBare(['taskset', '--cpu-list', '0', ...line])), emit)
    if (name === 'true') percentiles(`bare_bwrap_${name}`, await repeat(() => runBare([...bubblewrap, ...line])), emit)
  }
}

/** `@anthropic-ai/sandbox-runtime`: as a command, which starts for each, and as a library in this process, which has begun. It wants ripgrep and socat installed. */
async function sandboxRuntime(possible: typeof programs, emit: Emit): Promise<void> {
  type Manager = { initialize(config: object): Promise<void>; wrapWithSandbox(command: string): Promise<string>; reset(): Promise<void> }
  const folder = await installPeer('sandbox-runtime')
  const { SandboxManager } = await importFrom<{ SandboxManager: Manager }>(folder, '@anthropic-ai/sandbox-runtime')
  const config = { network: { allowedDomains: [], deniedDomains: [] }, filesystem: { denyRead: [], allowWrite: ['/tmp'], denyWrite: [] } }
  await SandboxManager.initialize(config)
  try {
    for (const [name, cmd, args] of possible) {
      const line = [cmd === 'node' ? process.execPath : cmd, ...args].join(' ')
      percentiles(`sandbox_runtime_${name}`, await repeat(async () => runBare(['sh', '-c', await SandboxManager.wrapWithSandbox(line)])), emit)
    }
  } finally {
    await SandboxManager.reset()
  }
  percentiles('sandbox_runtime_command_true', await repeat(() => runBare([join(folder, 'node_modules/.bin/srt'), 'true'])), emit)
}

/** As an agent's commands come: a model thinks between two of them. */
async function afterPauses(work: () => Promise<unknown>): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < 20; i++) {
    await new Promise((resolve) => setTimeout(resolve, 300))
    times.push(await timed(work))
  }
  return times
}

/** From as small a process as ours are started by: this one grows, and the kernel would copy its tables for each. */
const runBare = ([program = '', ...args]: string[]) => runProgram(program, args)

async function run(sandbox: Sandbox | undefined, cmd: string, args: string[] = []): Promise<void> {
  const result = await sandbox?.exec({ cmd, args, timeoutMs: 30_000 }, { signal: never })
  if (result?.exitCode !== 0) throw new Error(`${cmd} ended with ${result?.exitCode}: ${result?.stderr}`)
}

async function timed(work: () => unknown): Promise<number> {
  const startedMs = performance.now()
  await work()
  return performance.now() - startedMs
}

async function repeat(work: () => unknown): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < rounds; i++) times.push(await timed(work))
  return times
}

function percentiles(figure: string, times: number[], emit: Emit): void {
  const sorted = times.toSorted((a, b) => a - b)
  for (const [name, share] of [
    ['p50', 0.5],
    ['p99', 0.99],
  ] as const) {
    emit({ figure: `${figure}_${name}_ms`, value: sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0, unit: 'ms', n: sorted.length })
  }
}
