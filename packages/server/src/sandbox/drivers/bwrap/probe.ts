import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'
import { toFailure } from '../../../kernel/index.ts'
import type { Capabilities, CreateOptions, Gap, OpenImage, Sandbox } from '../../driver.ts'
import type { AgentHost } from '../../agent/host.ts'
import { missingTools } from '../../host/tools.ts'
import { lacking } from '../../lacking.ts'
import { userRange } from '../../host/users.ts'

type Missing = Capabilities['missing'][number]

type ProbeOptions = { isRoot: boolean; host(): Promise<AgentHost>; create(options: CreateOptions): Promise<Sandbox>; ownRoot: OpenImage | undefined }

/** Starts a real sandbox and tries, inside, what must not work. Whatever works nevertheless makes the driver unusable. */
export async function probeBwrap({ isRoot, host, create, ownRoot }: ProbeOptions): Promise<Capabilities> {
  const unusable = (missing: Missing[]): Capabilities => ({
    driver: 'bwrap',
    kernel: 'shared',
    isUsable: false,
    enforced: [],
    missing,
    gaps: [],
    languages: [],
  })
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) {
    return unusable([
      { what: `Linux on x64 or arm64 (this is ${process.platform} on ${process.arch})`, remedy: 'Run the server on Linux, or in a Linux virtual machine.' },
    ])
  }
  const tools = missingTools('bwrap', isRoot)
  if (tools.length > 0) return unusable(tools)
  if (isRoot && !userRange())
    return unusable([{ what: 'user numbers for sandboxes', remedy: 'Give the container at least 2,048 user ids, or run the server as an ordinary user.' }])
  try {
    const ready = await host()
    const found = await within(create({ id: '\0probe', limits: probeLimits }), (sandbox) => tryOut(sandbox, ready))
    return ownRoot && found.isUsable ? await withRoot(found, () => create({ id: '\0probe', limits: probeLimits, image: ownRoot })) : found
  } catch (error) {
    return unusable([explain(toFailure(error).message)])
  }
}

async function within<Result>(creating: Promise<Sandbox>, work: (sandbox: Sandbox) => Promise<Result>): Promise<Result> {
  const sandbox = await creating
  try {
    return await work(sandbox)
  } finally {
    await sandbox.destroy()
  }
}

const noHostFiles = 'no files of the host but its programs'
const languages = ['node', 'python3']
const findLanguages = `for each in ${languages.join(' ')}; do "$each" -c pass || "$each" -e 0; [ $? = 0 ] && echo "$each"; done 2>/dev/null; true`

/** The walls are those that were tried; what runs within them is the root's. */
async function withRoot(found: Capabilities, create: () => Promise<Sandbox>): Promise<Capabilities> {
  try {
    return await within(create(), async (sandbox) => {
      const { exitCode, stdout, stderr } = await sandbox.exec({ script: findLanguages, timeoutMs: probeTimeoutMs }, { signal: new AbortController().signal })
      if (exitCode !== 0) throw new Error(`No command can be run in it. ${stderr.trim().slice(-500)}`)
      const has = languages.filter((each) => stdout.split('\n').includes(each))
      const missing = languages.filter((each) => !has.includes(each)).map((each) => ({ what: `${each} in sandboxes`, remedy: lacking(sandbox.root, each) }))
      return {
        ...found,
        languages: ['sh', ...has],
        enforced: found.enforced.map((what) => (what === noHostFiles ? 'no files of the host' : what)),
        missing: [...found.missing.filter(({ what }) => what !== 'python3'), ...missing],
        ...(sandbox.root && { root: sandbox.root.name }),
      }
    })
  } catch (error) {
    const what = `the root of sandboxes that LONGHAUL_SANDBOX_ROOT names: ${toFailure(error).message}`
    return {
      ...found,
      isUsable: false,
      missing: [{ what, remedy: 'Build one, npm run sandbox-root -- python3 git, and name its file; or do without the setting.' }],
    }
  }
}

const megabyte = 1024 * 1024
const probeTimeoutMs = 60_000
const probeLimits = { memoryBytesMax: 160 * megabyte, processCountMax: 48, diskBytesMax: 64 * megabyte, fileCountMax: 1_000, outputBytesMax: 16 * 1024 }

const Findings = z.object({
  canRun: z.boolean(),
  rights: z.boolean(),
  filter: z.boolean(),
  namespaces: z.boolean(),
  network: z.boolean(),
  hostFiles: z.boolean(),
  readOnly: z.boolean(),
  otherProcesses: z.boolean(),
  processLimit: z.boolean(),
  diskLimit: z.boolean(),
  fileLimit: z.boolean(),
  python: z.string().nullable(),
})
type Findings = z.infer<typeof Findings>

/** Each finding but `canRun` and `python` is true when the attempt failed, as it must. `canRun` shows that the attempts were made at all. */
const attempts = `
const fs = require('node:fs'), os = require('node:os'), { spawn, spawnSync } = require('node:child_process')
const status = fs.readFileSync('/proc/self/status', 'utf8')
const fails = (act) => { try { act(); return false } catch { return true } }
const run = (cmd, ...args) => spawnSync(cmd, args, { encoding: 'utf8' })
const python = run('python3', '-c', 'import sys; print(sys.version.split()[0])')
const many = Array.from({ length: 100 }, () => spawn('sleep', ['5'], { stdio: 'ignore' }))
for (const each of many) each.on('error', () => {})
console.log(JSON.stringify({
  canRun: run('sh', '-c', 'exit 7').status === 7 || many.some((each) => each.pid) && run('true').error?.code === 'EAGAIN',
  rights: /^CapEff:\\s+0+$/m.test(status) && /^CapBnd:\\s+0+$/m.test(status) && /^NoNewPrivs:\\s+1$/m.test(status) && process.getuid() === 1000,
  filter: /^Seccomp:\\s+2$/m.test(status),
  namespaces: namespaces !== 0,
  network: Object.keys(os.networkInterfaces()).every((name) => name === 'lo'),
  hostFiles: !fs.existsSync(process.argv[1]) && !fs.existsSync('/root') && !fs.existsSync('/home'),
  readOnly: ['/', '/usr', '/etc', '/opt/longhaul/bin', '/run/longhaul/pipes'].every((folder) => fails(() => fs.writeFileSync(folder + '/probe', ''))),
  otherProcesses: processes < 10,
  processLimit: many.some((each) => !each.pid),
  diskLimit,
  fileLimit,
  python: python.status === 0 ? python.stdout.trim() : null,
}))
for (const each of many) if (each.pid) each.kill('SIGKILL')
`.replace(
  'const many',
  `const namespaces = run('unshare', '-U', 'true').status, processes = fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length
const zeros = Buffer.alloc(4e6)
let diskLimit = false, fileLimit = false
if (process.argv[2] === 'disk') {
  const full = (act) => { try { act(); return false } catch (error) { return error.code === 'ENOSPC' } }
  fs.mkdirSync('fill')
  // Two files, each smaller than what one may have.
  diskLimit = full(() => { for (let i = 0; i < 24; i++) fs.appendFileSync('fill/' + (i % 2), zeros) })
  fs.rmSync('fill/0'); fs.rmSync('fill/1')
  fileLimit = full(() => { for (let i = 0; i < 1_100; i++) fs.writeFileSync('fill/' + i, '') })
  fs.rmSync('fill', { recursive: true })
}
const many`,
)

/** Takes memory and holds it for longer than a watch needs to see it. */
const hoard = `
const kept = []
for (let bytes = 0; bytes < Number(process.argv[1]); bytes += 8e6) kept.push(Buffer.alloc(8e6, 1))
setTimeout(() => console.log('kept', kept.length), 500)
`

async function tryOut(sandbox: Sandbox, host: AgentHost): Promise<Capabilities> {
  const signal = new AbortController().signal
  const marker = join(host.root.path, '.lock')
  if (!existsSync(marker)) throw new Error(`The file ${marker}, by which it is tested that host files are out of reach, is not there.`)
  const tried = await sandbox.exec({ cmd: 'node', args: ['-e', attempts, marker, host.disks ? 'disk' : ''], timeoutMs: probeTimeoutMs }, { signal })
  if (tried.exitCode !== 0)
    throw new Error(`The probe inside the sandbox failed: ${tried.stderr.slice(-500) || `exit code ${tried.exitCode}, signal ${tried.signal}`}`)
  const findings = Findings.parse(JSON.parse(tried.stdout))
  const bomb = await sandbox.exec({ cmd: 'node', args: ['-e', hoard, String(2 * probeLimits.memoryBytesMax)], timeoutMs: probeTimeoutMs }, { signal })
  return judge(findings, !bomb.stdout.includes('kept'), host)
}

function judge(found: Findings, isMemoryLimited: boolean, host: AgentHost): Capabilities {
  const { limits, kill, version } = host.cgroups
  const must: [boolean, string][] = [
    [found.canRun, 'commands run'],
    [found.rights, 'no capabilities, no new privileges, an unprivileged user'],
    [found.filter, 'system call filter (seccomp)'],
    [found.namespaces, 'no new namespaces inside'],
    [found.network, 'no network but loopback'],
    [found.hostFiles, noHostFiles],
    [found.readOnly, 'everything read-only but /workspace and /tmp'],
    [found.otherProcesses, 'no processes of the host in sight'],
    [found.processLimit, limits.pids ? `process limit (control group ${version})` : "process limit (RLIMIT_NPROC in the sandbox's user namespace)"],
    [isMemoryLimited, limits.memory ? `memory limit (control group ${limits.memory.version})` : 'memory limit (all processes added up twenty times a second)'],
  ]
  const missing: Missing[] = must
    .filter(([holds]) => !holds)
    .map(([, what]) => ({
      what,
      remedy: 'This kernel or container does not enforce it. Run the server on a host with unprivileged user namespaces and seccomp.',
    }))
  const isUsable = missing.length === 0
  const enforced = must.filter(([holds]) => holds).map(([, what]) => what)
  enforced.push(host.runtime.isRoot ? 'a host user of its own for each workspace' : 'the host user of the server, without rights')
  enforced.push(kill ? 'a control group for each command: nothing outlives its time-out' : 'commands are ended by the agent, in doubt the whole sandbox')
  const isDiskHard = found.diskLimit && found.fileLimit
  enforced.push(
    isDiskHard
      ? 'disk and file count limit (a file system of its own for each workspace)'
      : 'disk and file count watched from outside; single files hard-limited',
  )
  if (limits.cpu) enforced.push(`processor time limit (control group ${limits.cpu.version})`)

  const delegate = 'Run the server as root, or as a systemd service with Delegate=yes.'
  const whyNot = host.cgroups.whyNot ? ` (${host.cgroups.whyNot})` : ''
  if (!limits.memory) missing.push({ what: `hard memory limit for a whole sandbox${whyNot}`, remedy: delegate })
  if (!limits.cpu) missing.push({ what: 'processor time limit', remedy: delegate })
  if (!isDiskHard)
    missing.push({
      what: `hard disk limit: a workspace can pass its limit until it is measured again (${host.whyNoDisks ?? 'the limit did not hold when it was tried'})`,
      remedy: 'Run the server as root, with the right to mount and loop devices, and e2fsprogs installed.',
    })
  if (found.python === null) missing.push({ what: 'python3', remedy: 'apt-get install python3' })
  const gaps: Gap[] = [...(limits.memory ? [] : ['memory' as const]), ...(limits.cpu ? [] : ['cpu' as const]), ...(isDiskHard ? [] : ['disk' as const])]
  return { driver: 'bwrap', kernel: 'shared', isUsable, enforced, missing, gaps, languages: ['sh', 'node', ...(found.python ? ['python3'] : [])] }
}

/** bubblewrap's complaints, and what to do about each. */
const remedies: [RegExp, string][] = [
  [/disable-userns/, 'Install bubblewrap 0.8 or newer, built with support for --disable-userns.'],
  [
    /setting up uid map: Permission denied|setting up uid map: Operation not permitted/,
    'Allow unprivileged user namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0, or an AppArmor profile for bwrap. In Docker: --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined.',
  ],
  [
    /No permissions to create new namespace|Creating new namespace failed|unshare failed/,
    'Allow unprivileged user namespaces: sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000. In Docker: --security-opt seccomp=unconfined --security-opt systempaths=unconfined.',
  ],
  [
    /Can't find source path/,
    "The sandbox folder and the server's Node must lie where every user can go: chmod o+x on each folder above them, or run the server as an ordinary user.",
  ],
  [/Can't mount proc|mount proc/i, 'In Docker: --security-opt systempaths=unconfined.'],
]

function explain(message: string): Missing {
  const known = remedies.find(([pattern]) => pattern.test(message))
  return {
    what: `bubblewrap works on this host: ${message.slice(0, 600)}`,
    remedy: known?.[1] ?? 'The message names the cause. bwrap --unshare-all --unshare-user --ro-bind / / true shows it by hand.',
  }
}
