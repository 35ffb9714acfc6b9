/** What a sandbox that somebody else made for us must keep, found out from inside. Nobody is believed who only says that it does. */
import { existsSync } from 'node:fs'
import { chmod } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { type Sandbox, egressPath } from '../driver.ts'
import type { Root } from '../root.ts'

export type LookOptions = {
  sandbox: Sandbox
  root: Root
  /** Of the sandbox. */
  id: string
  isGvisor: boolean
  /** A line for the shell that prints `alone` where nothing can be reached. */
  network: string
}
export type Look = {
  /** What was seen, by its word. */
  words: readonly string[]
  /** The walls that are not there. */
  broken: readonly string[]
  /** Of those that are there. */
  kept: readonly string[]
  /** What the commands said. */
  said: string
}

type Wall = [word: string, what: string]
const walls: Wall[] = [
  ['bare', 'no capabilities'],
  ['apart', 'no files of the host'],
  ['closed', 'everything read-only but /workspace, /tmp and /dev/shm'],
  ['alone', 'no network but loopback'],
  ['node', 'commands run, on the image’s Node'],
  ['ended', 'nothing outlives a command'],
]
/** Where the host's kernel is spoken to. */
const wallsWhenShared: Wall[] = [
  ['none', 'no capabilities to be had'], // In gVisor each command is in a user namespace of that kernel's, which has its own.
  ['bound', 'no new privileges'],
  ['filtered', 'a system call filter, the engine’s'],
]

const lookWithinMs = 60_000
const doorName = 'probe.sock'
/** No interface but loopback. */
export const noInterface = `node -e 'console.log(Object.keys(os.networkInterfaces()).every((name) => name === "lo") ? "alone" : "")'`
const leave = '(setsid sleep 61 &) ; sleep 0.2; echo left'
const script = (folder: string, network: string) => `dmesg 2>/dev/null | head -n 3 | grep -q gVisor && echo gVisor
[ "$(grep -cE '^Cap(Prm|Eff):[[:space:]]0+$' /proc/self/status)" = 2 ] && echo bare
grep -qE '^CapBnd:[[:space:]]0+$' /proc/self/status && echo none
grep -qE '^NoNewPrivs:[[:space:]]1$' /proc/self/status && echo bound
grep -qE '^Seccomp:[[:space:]]2$' /proc/self/status && echo filtered
grep -qE '^[0-9]+$' /sys/fs/cgroup/pids.max 2>/dev/null && echo counted
test -e ${folder} || echo apart
(: > /usr/x) 2>/dev/null || (: > /x) 2>/dev/null || (: > /etc/x) 2>/dev/null || echo closed
python3 -c 'print("python")' 2>/dev/null
node -e 'console.log("node")'
${network}
cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q '[s]leep 61' || echo ended
: > found
node -e 'net.connect("${egressPath}/${doorName}").on("connect", () => process.exit(console.log("door"))).on("error", () => {})'
true`

/** Tries, inside, what must not work. Rejects with what was said when no command runs at all. */
export async function lookInside({ sandbox, root, id, isGvisor, network }: LookOptions): Promise<Look> {
  const exec = (script: string) => sandbox.exec({ script, timeoutMs: lookWithinMs }, { signal: new AbortController().signal })
  const left = await exec(leave)
  if (left.stdout !== 'left\n') throw new Error(`commands run: ${(left.stderr || left.stdout).slice(0, 400)}`)
  const { stdout, stderr } = await withDoor(join(root.folderOf(id), 'egress', doorName), () => exec(script(root.path, network)))
  const words = stdout.split(/\s+/)
  const all = [...walls, ...(isGvisor ? [] : wallsWhenShared)]
  const broken = all.filter(([word]) => !words.includes(word)).map(([, what]) => what)
  if (isGvisor && !words.includes('gVisor')) broken.push('gVisor’s own kernel answers')
  if (!existsSync(join(root.folderOf(id), 'workspace/found'))) broken.push('the engine mounts the server’s own folders')
  return { words, broken, kept: all.map(([, what]) => what), said: (stderr || stdout).trim().slice(0, 300) }
}

/** Does `work` while somebody listens there, as the server's proxy will. */
async function withDoor<Result>(path: string, work: () => Promise<Result>): Promise<Result> {
  const server = createServer((socket) => socket.on('error', () => {}).end())
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(path, resolve))
  try {
    await chmod(path, 0o777)
    return await work()
  } finally {
    server.close()
  }
}
