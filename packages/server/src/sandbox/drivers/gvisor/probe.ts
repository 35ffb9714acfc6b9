import { toFailure } from '../../../kernel/index.ts'
import type { AgentHost } from '../../agent/host.ts'
import type { Capabilities, CreateOptions, Sandbox } from '../../driver.ts'
import { missingTools } from '../../host/tools.ts'
import { userRange } from '../../host/users.ts'

type Missing = Capabilities['missing'][number]
type ProbeOptions = { host(): Promise<AgentHost>; create(options: CreateOptions): Promise<Sandbox> }

const probeTimeoutMs = 60_000
const megabyte = 1024 * 1024
const byHand = 'runsc do true shows by hand why.'
const limits = { diskBytesMax: 32 * megabyte, fileCountMax: 1_000 }

/** What must be found inside, by the word that tells of it. */
const must: [word: string, what: string][] = [
  ['gVisor', 'gVisor’s own kernel answers: the host’s is not spoken to'],
  ['apart', 'no files of the host but its programs'],
  ['closed', 'everything read-only but /workspace, /tmp and /dev/shm'],
  ['alone', 'no network but loopback'],
  ['node', 'commands run'],
  ['ended', 'a process namespace for each command: nothing outlives it'],
]

/** The first command leaves a process behind, which the second must not find. */
const leave = '(setsid sleep 61 &) ; sleep 0.2; echo left'
const look = (folder: string) => `dmesg 2>/dev/null | head -n 3
test -e ${folder} || echo apart
(: > /usr/x) 2>/dev/null || (: > /x) 2>/dev/null || echo closed
python3 -c 'print("python")' 2>/dev/null
node -e 'console.log(Object.keys(os.networkInterfaces()).every((name) => name === "lo") ? "alone" : "", "node")'
cat /proc/[0-9]*/cmdline | tr '\\0' ' ' | grep -q '[s]leep 61' || echo ended
ls -d / >/dev/null 2>&1 && echo lists
for i in 0 1; do head -c 24M /dev/zero; done 2>/dev/null | split -b 24M 2>&1 | grep -q 'No space' && echo full
rm -f x*
i=0; while [ $i -lt 1100 ] && (: > n$i) 2>/dev/null; do i=$((i+1)); done; [ $i -lt 1100 ] && echo counted
true`

/** Starts a real sandbox and tries, inside, what must not work. Whatever works nevertheless makes the driver unusable. */
export async function probeGvisor({ host, create }: ProbeOptions): Promise<Capabilities> {
  const unusable = (...missing: Missing[]): Capabilities => ({
    driver: 'gvisor',
    kernel: 'own',
    isUsable: false,
    enforced: [],
    gaps: [],
    languages: [],
    missing,
  })
  if (process.platform !== 'linux')
    return unusable({ what: `Linux (this is ${process.platform})`, remedy: 'Run the server on Linux, or in a Linux virtual machine.' })
  if (process.getuid?.() !== 0 || !userRange())
    return unusable({ what: 'a server that is root', remedy: 'Run the server as root: gVisor needs that to keep files apart.' })
  const tools = missingTools('runsc', true)
  if (tools.length > 0) return unusable(...tools)
  try {
    const ready = await host()
    const { kill, limits: at } = ready.cgroups
    if (!kill || !at.memory || !at.pids)
      return unusable({ what: 'control groups for memory and processes', remedy: 'Run the server on a host with control groups, as root.' })
    const sandbox = await create({ id: '\0probe', limits })
    try {
      const exec = (script: string) => sandbox.exec({ script, timeoutMs: probeTimeoutMs }, { signal: new AbortController().signal })
      const left = await exec(leave)
      if (left.stdout !== 'left\n') return unusable({ what: `commands run: ${(left.stderr || left.stdout).slice(0, 400)}`, remedy: byHand })
      const { stdout, stderr } = await exec(look(ready.root.path))
      const broken = must.filter(([word]) => !stdout.includes(word))
      return broken.length > 0
        ? unusable(...broken.map(([, what]) => ({ what: `${what}: ${(stderr || stdout).slice(0, 400)}`, remedy: byHand })))
        : judge(ready, stdout)
    } finally {
      await sandbox.destroy()
    }
  } catch (error) {
    return unusable({ what: `gVisor works on this host: ${toFailure(error).message.slice(0, 600)}`, remedy: byHand })
  }
}

function judge({ cgroups, disks, whyNoDisks }: AgentHost, found: string): Capabilities {
  const isDiskHard = disks !== undefined && found.includes('full') && found.includes('counted')
  const { cpu } = cgroups.limits
  const missing: Missing[] = []
  if (!isDiskHard)
    missing.push({
      what: `hard disk limit: a workspace can pass its limit until it is measured again (${whyNoDisks ?? 'the limit did not hold when it was tried'})`,
      remedy: 'Run the server as root, with the right to mount and loop devices, and e2fsprogs installed.',
    })
  if (!found.includes('lists'))
    missing.push({
      what: 'ls and stat: this runsc does not know a call of theirs',
      remedy: 'Install a newer one: https://gvisor.dev/docs/user_guide/install/',
    })
  if (!cpu) missing.push({ what: 'processor time limit', remedy: 'Run the server where there is a control group for cpu.' })
  if (!found.includes('python')) missing.push({ what: 'python3', remedy: 'apt-get install python3' })
  return {
    driver: 'gvisor',
    kernel: 'own',
    isUsable: true,
    enforced: [
      ...must.map(([, what]) => what),
      'a host user of its own for each workspace',
      `memory and process limits around the kernel inside (control groups ${cgroups.version})`,
      isDiskHard
        ? 'disk and file count limit (a file system of its own for each workspace)'
        : 'disk and file count watched from outside; single files hard-limited',
      ...(cpu ? [`processor time limit (control group ${cpu.version})`] : []),
    ],
    missing,
    gaps: [...(cpu ? [] : ['cpu' as const]), ...(isDiskHard ? [] : ['disk' as const])],
    languages: ['sh', 'node', ...(found.includes('python') ? ['python3'] : [])],
  }
}
