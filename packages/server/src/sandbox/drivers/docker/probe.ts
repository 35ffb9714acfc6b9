import { z } from 'zod'
import { toFailure } from '../../../kernel/index.ts'
import type { AgentHost } from '../../agent/host.ts'
import { type Look, lookInside, noInterface } from '../../agent/look.ts'
import { type Capabilities, type CreateOptions, type Gap, type Sandbox, gaps } from '../../driver.ts'
import { missingTools } from '../../host/tools.ts'
import { userRange } from '../../host/users.ts'
import { type Engine, EngineError } from './engine.ts'

type Missing = Capabilities['missing'][number]
export type ProbeOptions = {
  engine: Engine
  socket: string
  image: string
  runtime: string
  isGvisor: boolean
  isRoot: boolean
  host(): Promise<AgentHost>
  create(options: CreateOptions): Promise<Sandbox>
}

const Info = z.looseObject({
  OSType: z.string(),
  ServerVersion: z.string(),
  MemoryLimit: z.boolean(),
  SwapLimit: z.boolean(),
  PidsLimit: z.boolean(),
  CpuCfsQuota: z.boolean(),
  SecurityOptions: z.array(z.string()).nullish(),
  Runtimes: z.record(z.string(), z.unknown()),
})
type Info = z.infer<typeof Info>
const Image = z.looseObject({ Config: z.looseObject({ Volumes: z.record(z.string(), z.unknown()).nullish() }).nullish() })

const id = '\0probe'

/** Asks the engine what it enforces, then starts a real sandbox and tries, inside, what must not work. Whatever works nevertheless makes the driver unusable. */
export async function probeDocker(options: ProbeOptions): Promise<Capabilities> {
  const { engine, socket, image, isGvisor, isRoot, host, create } = options
  const unusable = (...missing: Missing[]): Capabilities => ({
    ...{ driver: 'docker', kernel: isGvisor ? 'own' : 'shared', isUsable: false },
    ...{ enforced: [], gaps: [], languages: [], missing },
  })
  if (process.platform !== 'linux')
    return unusable({ what: `Linux (this is ${process.platform})`, remedy: 'Run the server on Linux, where the engine mounts the server’s own folders.' })
  if (isRoot && !userRange()) return unusable({ what: 'enough user numbers', remedy: 'Run the server outside of a container that has few.' })
  const tools = missingTools('du', isRoot)
  if (tools.length > 0) return unusable(...tools)
  try {
    const info = Info.parse(await engine.call('GET', '/info'))
    const refused = refuse(info, options)
    if (refused.length > 0) return unusable(...refused)
    const volumes = Object.keys(await volumesOf(engine, image))
    if (volumes.length > 0)
      return unusable({
        what: `an image without volumes: ${image} makes ${volumes.join(', ')}, which could be written without a limit`,
        remedy: 'Choose another in LONGHAUL_SANDBOX_DOCKER_IMAGE.',
      })
    const ready = await host()
    const sandbox = await create({ id })
    try {
      const by = `docker run --rm --runtime ${options.runtime} ${image} true shows by hand why.`
      const seen = await lookInside({ sandbox, root: ready.root, id, isGvisor, network: noInterface }).catch((error: unknown) => String(error))
      if (typeof seen === 'string') return unusable({ what: seen, remedy: by })
      return seen.broken.length > 0
        ? unusable(...seen.broken.map((what) => ({ what: `${what} (tried inside; ${seen.said})`, remedy: by })))
        : judge(info, options, seen)
    } finally {
      await sandbox.destroy()
    }
  } catch (error) {
    if (error instanceof EngineError && error.status === undefined)
      return unusable({
        what: `a Docker engine: ${error.message}`,
        remedy: `Start one (apt-get install docker.io), let the server’s user use ${socket}, or name another in LONGHAUL_SANDBOX_DOCKER_SOCKET.`,
      })
    if (error instanceof EngineError && error.status === 404) return unusable({ what: `the image ${image}: ${error.message}`, remedy: `docker pull ${image}` })
    return unusable({ what: `sandboxes of the engine’s: ${toFailure(error).message.slice(0, 600)}`, remedy: 'docker info shows whether the engine works.' })
  }
}

async function volumesOf(engine: Engine, image: string): Promise<Record<string, unknown>> {
  return Image.parse(await engine.call('GET', `/images/${image.split('/').map(encodeURIComponent).join('/')}/json`)).Config?.Volumes ?? {}
}

/** What would make a wall less than it is said to be. */
function refuse({ OSType, PidsLimit, SecurityOptions, Runtimes }: Info, { runtime, isGvisor }: ProbeOptions): Missing[] {
  const options = SecurityOptions ?? []
  const has = (name: string) => options.some((option) => option.split(',').includes(`name=${name}`))
  const missing: Missing[] = []
  if (OSType !== 'linux') missing.push({ what: `Linux containers (these are for ${OSType})`, remedy: 'Use an engine for Linux containers.' })
  if (!(runtime in Runtimes))
    missing.push({
      what: `the runtime ${runtime}; this engine has ${Object.keys(Runtimes).join(', ')}`,
      remedy: isGvisor ? 'Install gVisor and register it: runsc install && systemctl restart docker' : 'Name one of these in LONGHAUL_SANDBOX_DOCKER_RUNTIME.',
    })
  if (has('rootless') || has('userns'))
    missing.push({
      what: 'user numbers that are the host’s own: this engine maps them to others, who could not use the workspaces',
      remedy: 'Use an engine that is not rootless and has no userns-remap, or the driver bwrap, which works as an ordinary user.',
    })
  if (!PidsLimit) missing.push({ what: 'process limit', remedy: 'Give the engine the control group pids.' })
  if (!isGvisor && (!has('seccomp') || options.some((option) => option.includes('profile=unconfined'))))
    missing.push({ what: 'a system call filter', remedy: 'Use an engine with seccomp, with the profile that it comes with.' })
  return missing
}

function judge(info: Info, { isGvisor, isRoot, runtime }: ProbeOptions, { words, kept }: Look): Capabilities {
  const lacking: Gap[] = [...(info.MemoryLimit ? [] : ['memory' as const]), ...(info.CpuCfsQuota ? [] : ['cpu' as const]), 'disk']
  const missing: Missing[] = lacking.map((gap) =>
    gap === 'disk'
      ? { what: 'hard disk limit: a workspace can pass its limit until it is measured again', remedy: 'Use the driver bwrap or gvisor, as root.' }
      : { what: gaps[gap], remedy: `Give the engine the control group ${gap}.` },
  )
  if (info.MemoryLimit && !info.SwapLimit) missing.push({ what: 'limit on swap', remedy: 'Switch swap off, or start the kernel with swapaccount=1.' })
  if (!words.includes('door'))
    missing.push({
      what: 'ways out: what runs inside cannot reach the server’s proxy',
      remedy: 'Let the runtime pass Unix sockets: runsc install -- --host-uds=open && systemctl restart docker',
    })
  if (!words.includes('python')) missing.push({ what: 'python3', remedy: 'Choose an image that has it in LONGHAUL_SANDBOX_DOCKER_IMAGE.' })
  return {
    driver: 'docker',
    kernel: isGvisor ? 'own' : 'shared',
    isUsable: true,
    enforced: [
      ...(isGvisor ? ['gVisor’s own kernel answers: the host’s is not spoken to'] : []),
      ...kept,
      ...(isRoot ? ['a host user of its own for each workspace'] : []),
      `process limit${info.MemoryLimit ? ', memory limit' : ''}${info.CpuCfsQuota ? ', processor time limit' : ''} (Docker ${info.ServerVersion}, ${runtime})`,
      'disk and file count watched from outside; single files hard-limited',
    ],
    missing,
    gaps: lacking,
    languages: ['sh', 'node', ...(words.includes('python') ? ['python3'] : [])],
  }
}
