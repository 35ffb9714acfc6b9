/** Both ends of a launch chain, which drivers have in common: the outer links, and the agent's command. */
import type { Readable } from 'node:stream'
import { mountLine } from '../host/disk-image.ts'
import type { Runtime } from '../host/runtime.ts'
import type { AgentSettings, LaunchOptions } from './host.ts'

const complaintBytesMax = 1_024
/** Of whatever starts a sandbox. */
export const launchEnv = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' }

type Outermost = Pick<LaunchOptions, 'joinFiles' | 'disks'> & {
  /** Folders that are mounted on others, read-only. Needs a stage. */
  folders?: readonly { from: string; to: string }[]
}

/** Joins the control groups and, as root that may mount, enters a mount namespace that has the stage, the disks and the folders. Then `rest`. */
export function outermost(runtime: Runtime, { joinFiles, disks = [], folders = [] }: Outermost, rest: readonly string[]): string[] {
  const { unshare = '', mount = '' } = runtime.tools // There where there is a stage.
  if (!runtime.stage) return joined(joinFiles, rest)
  const each = (command: string) => `while [ "$1" != -- ]; do ${command} "$1" "$2" || exit; shift 2; done; shift`
  const steps = [mountLine('"$m"'), 'chown -R -P -h --', '"$m" -o bind,ro,nosuid,nodev'].map(each)
  const script = `m=$1; "$m" --all --fstab "$2" || exit; shift 2; ${steps.join('; ')}; exec "$@"`
  const gifts = disks.flatMap(({ path, giveTo }) => (giveTo === undefined ? [] : [`${giveTo}:${giveTo}`, path]))
  const pairs = [...disks.flatMap(({ device, path }) => [device, path]), '--', ...gifts, '--', ...folders.flatMap(({ from, to }) => [from, to]), '--']
  const mounting = ['/bin/sh', '-c', script, 'sh', mount, runtime.fstab, ...pairs]
  return joined(joinFiles, [unshare, '--mount', '--propagation', 'private', '--', ...mounting, ...rest])
}

/** `sh` writes its own number into each group and then becomes the rest: no process starts outside. */
function joined(files: readonly string[], rest: readonly string[]): string[] {
  if (files.length === 0) return [...rest]
  return ['/bin/sh', '-c', 'while [ "$1" != -- ]; do echo $$ >"$1" || exit 71; shift; done; shift; exec "$@"', 'sh', ...files, '--', ...rest]
}

/** The first complaint is the cause, and the last may say what about it; between them may be a page of usage, or a path of any length. */
export function collectEnds(from: Readable): () => string {
  let head = ''
  let tail = ''
  from.on('error', () => {}) // It ends with the process.
  from.on('data', (bytes: Buffer) => {
    const text = bytes.toString()
    const room = complaintBytesMax - head.length
    head += text.slice(0, room)
    tail = (tail + text.slice(room)).slice(-complaintBytesMax)
  })
  return () => (tail ? `${head} … ${tail}` : head)
}

/** The agent's own command line. `node` is where the inside has it. */
export const agentCommand = (node: string, settings: AgentSettings): string[] => [
  node,
  '--no-warnings',
  '--max-old-space-size=64',
  '--v8-pool-size=0',
  '/run/longhaul/agent.cjs',
  JSON.stringify(settings),
]
