/** What the engine is asked to make: a container that has nothing but its workspace, and nothing to get more with. */
import { join } from 'node:path'
import type { LaunchOptions } from '../../agent/host.ts'
import { egressPath } from '../../driver.ts'

export type ContainerParts = {
  image: string
  runtime: string
  /** Whether that runtime is gVisor's: its own kernel, with threads and memory of its own, is within the container's limits. */
  isGvisor: boolean
  /** Our program inside, on the host. */
  agent: string
  /** Of every container of this server's, for the sweep. */
  label: { name: string; value: string }
  cpuCountMax: number
  /** The server's own, where it is not root and so cannot give a workspace to another user. */
  ownUser: string
}

const megabyte = 1024 * 1024
const tmpBytesMax = 64 * megabyte
const sharedMemoryBytesMax = 16 * megabyte
const fileDescriptorsMax = 1_024
/** The agent, and gVisor's kernel where there is one, with what lies in `/tmp`. */
const ownMemoryBytes = { plain: 64 * megabyte, gvisor: 128 * megabyte }
/** Init and the agent with its threads; gVisor's own, and of the host for one inside. */
const ownThreadCount = { plain: 24, gvisor: 512 }
const threadsPerProcess = { plain: 1, gvisor: 4 }

/** The body of `POST /containers/create`. */
export function describeContainer(parts: ContainerParts, { folder, user, limits, copyTo, hasNoTmp = false, command }: LaunchOptions): object {
  const kind = parts.isGvisor ? 'gvisor' : 'plain'
  const memory = limits.memoryBytesMax + ownMemoryBytes[kind]
  return {
    Image: parts.image,
    Entrypoint: command, // In place of the image's; its own command is not taken then either.
    User: user === undefined ? parts.ownUser : `${user}:${user}`,
    Env: ['LANG=C.UTF-8', 'UV_THREADPOOL_SIZE=1'],
    WorkingDir: '/workspace',
    Hostname: 'sandbox',
    Labels: { [parts.label.name]: parts.label.value },
    ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false },
    ...{ OpenStdin: true, StdinOnce: true }, // The agent's input ends with our connection, and the agent with its input.
    NetworkDisabled: true,
    HostConfig: {
      Runtime: parts.runtime,
      Privileged: false,
      CapDrop: ['ALL'],
      SecurityOpt: ['no-new-privileges:true'],
      ReadonlyRootfs: true,
      NetworkMode: 'none',
      IpcMode: hasNoTmp ? 'none' : 'private',
      CgroupnsMode: 'private',
      Memory: memory,
      MemorySwap: memory, // Both together: no swap.
      PidsLimit: threadsPerProcess[kind] * limits.processCountMax + ownThreadCount[kind],
      NanoCpus: Math.round(parts.cpuCountMax * 1e9),
      Ulimits: [
        { Name: 'fsize', Hard: limits.diskBytesMax, Soft: limits.diskBytesMax },
        { Name: 'nofile', Hard: fileDescriptorsMax, Soft: fileDescriptorsMax },
        { Name: 'core', Hard: 0, Soft: 0 },
      ],
      ...(!hasNoTmp && { ShmSize: sharedMemoryBytesMax }), // Podman refuses a size where there is no such memory.
      Tmpfs: hasNoTmp ? {} : { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${tmpBytesMax}` },
      Mounts: [
        bind(parts.agent, '/run/longhaul/agent.cjs', true),
        bind(join(folder, 'egress'), egressPath, true),
        bind(join(folder, 'workspace'), '/workspace', false),
        ...(copyTo === undefined ? [] : [bind(copyTo, '/copy', false)]),
      ],
      Init: true, // Takes in the processes whose parents died.
      LogConfig: { Type: 'none', Config: {} }, // What the agent says is not written to the host's disk.
      RestartPolicy: { Name: 'no' },
    },
  }
}

/** A mount, not an old-style bind: those make a folder where there is none. */
const bind = (Source: string, Target: string, ReadOnly: boolean) => ({ Type: 'bind', Source, Target, ReadOnly, BindOptions: { Propagation: 'rprivate' } })
