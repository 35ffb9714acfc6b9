import { readFileSync, readdirSync } from 'node:fs'
import { z } from 'zod'

/** A process that cannot be confused with a later one of the same number. */
export type ProcessIdentity = { pid: number; startedAt: string; boot: string }

export function identityOf(pid: number): ProcessIdentity {
  return { pid, startedAt: startedAt(pid) ?? '', boot: bootId() }
}

/** From a record that an earlier process wrote, or undefined when it is cut off or somebody else's. */
export function parseIdentity(text: string): ProcessIdentity | undefined {
  try {
    return Identity.parse(JSON.parse(text))
  } catch {
    return undefined // Cut off by a crash: it was never in force.
  }
}

const Identity = z.strictObject({ pid: z.number().int().min(1), startedAt: z.string(), boot: z.string() })

export function isAlive(process: ProcessIdentity): boolean {
  if (process.boot !== bootId()) return false
  const now = startedAt(process.pid)
  if (now !== undefined) return now === process.startedAt
  return process.startedAt === '' && isSignallable(process.pid) // No /proc on this system: the number has to do.
}

/** SIGKILL, unless the number has passed to another process. True when it was sent. */
export function killProcess(identity: ProcessIdentity): boolean {
  if (!isAlive(identity)) return false
  try {
    process.kill(identity.pid, 'SIGKILL')
    return true
  } catch {
    return false // It ended between the look and the signal.
  }
}

/** The parent's number, or undefined when the process is gone. */
export function parentOf(pid: number): number | undefined {
  const field = statFields(pid)?.[1]
  return field === undefined ? undefined : Number(field)
}

/** The number a process has in its innermost process namespace. */
export function innerPidOf(pid: number): number | undefined {
  const found = /^NSpid:.*?(\d+)$/m.exec(readOr(`/proc/${pid}/status`))
  return found ? Number(found[1]) : undefined
}

/** `pid` and everything below it. A process whose parent died hangs below its namespace's first one, so nothing in a sandbox is missed. */
export function familyOf(pid: number): number[] {
  const family = [pid]
  for (let i = 0; i < family.length; i++) {
    const threads = listOr(`/proc/${family[i]}/task`)
    for (const thread of threads) {
      for (const child of readOr(`/proc/${family[i]}/task/${thread}/children`).split(' ')) if (child) family.push(Number(child))
    }
  }
  return family
}

/** Bytes that these processes hold together: their own, plus the largest share of memory that several may share. */
export function memoryBytesOf(pids: readonly number[]): number {
  let own = 0
  let shared = 0
  for (const pid of pids) {
    const status = readOr(`/proc/${pid}/status`)
    own += kilobytes(status, 'RssAnon') + kilobytes(status, 'VmSwap')
    shared = Math.max(shared, kilobytes(status, 'RssShmem'))
  }
  return (own + shared) * 1024
}

function kilobytes(status: string, field: string): number {
  return Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0)
}

function startedAt(pid: number): string | undefined {
  return statFields(pid)?.[19]
}

/** Fields of /proc/<pid>/stat from the third on; the second is a name that may hold anything. */
function statFields(pid: number): string[] | undefined {
  const text = readOr(`/proc/${pid}/stat`)
  const end = text.lastIndexOf(')')
  return end < 0 ? undefined : text.slice(end + 2).split(' ')
}

let boot: string | undefined
function bootId(): string {
  boot ??= readOr('/proc/sys/kernel/random/boot_id').trim()
  return boot
}

function isSignallable(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM'
  }
}

function readOr(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return '' // Processes end whenever they like.
  }
}

function listOr(path: string): string[] {
  try {
    return readdirSync(path)
  } catch {
    return []
  }
}
