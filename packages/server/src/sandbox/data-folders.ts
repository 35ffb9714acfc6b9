/** Folders of this server's machine that agents' sandboxes may be shown: which ones an operator declares, and which ones nobody may. */
import { accessSync, constants, existsSync, realpathSync, statSync } from 'node:fs'
import { join, sep } from 'node:path'
import { Name } from '@longhaul/protocol'
import { z } from 'zod'
import { AppError } from '../kernel/index.ts'
import { type Sandbox, dataPath } from './driver.ts'
import { failure } from './failures.ts'

/** What an operator says of each, by name. */
export const DeclaredFolders = z.record(
  Name,
  z.strictObject({
    path: z.string().max(4_096).startsWith('/', 'must be a path from the root'),
    /** Whose agents may ask for it. */
    tenants: z.array(z.string().min(1).max(200)).min(1).max(1_000).default(['default']),
    /** Every asker of these tenants may see it where no policy forbids it. Otherwise a policy has to permit it. */
    everyone: z.boolean().default(false),
  }),
)
export type DeclaredFolders = z.output<typeof DeclaredFolders>

export type DataFolder = {
  name: string
  /** On the host, without links. */
  path: string
  isForEveryone: boolean
}
export type DataFolders = {
  /** Undefined: there is none of that name for this tenant. */
  find(tenantId: string, name: string): DataFolder | undefined
}

/** Of the system, or for programs while they run: neither they nor anything in them. */
const system = ['/boot', '/dev', '/etc', '/proc', '/run', '/sys', '/var/run']
/** Others lie in these, so they are not to be had whole. */
const wholes = ['/', '/home', '/opt', '/root', '/tmp', '/usr', '/var', '/var/lib', '/var/log', '/var/tmp']
/** What programs keep keys in, wherever it lies. */
const keyPlaces = ['.aws', '.azure', '.docker', '.env', '.git-credentials', '.gnupg', '.kube', '.netrc', '.npmrc', '.password-store', '.pgpass', '.ssh']

/** `dataDir` is the server's own. Throws `invalid`, with the remedy, when one of the folders is missing, cannot be read or is not to be shown to anybody. */
export function openDataFolders(declared: DeclaredFolders, dataDir: string): DataFolders {
  const own = realOf(dataDir)
  const folders = Object.entries(declared).map(([name, { path, tenants, everyone }]) => {
    const real = existsSync(path) ? realpathSync(path) : undefined
    const why = real === undefined ? 'is not there. Make it, or take the name out' : whyNot(real, own)
    if (real === undefined || why !== undefined) throw new AppError('invalid', `LONGHAUL_SANDBOX_FOLDERS: ${name}: ${path} ${why}.`)
    return { tenants, folder: { name, path: real, isForEveryone: everyone } }
  })
  return { find: (tenantId, name) => folders.find(({ tenants, folder }) => folder.name === name && tenants.includes(tenantId))?.folder }
}

/** Why nobody may be shown this folder, which has no links in its path. */
function whyNot(path: string, dataDir: string): string | undefined {
  if (!statSync(path).isDirectory()) return 'is not a folder'
  if (isIn(path, dataDir) || isIn(dataDir, path))
    return `has to do with the server’s own data in ${dataDir}, which holds its secrets. Choose a folder beside it`
  const found = system.map(realOf).find((each) => isIn(path, each) || isIn(each, path))
  if (found !== undefined || wholes.map(realOf).includes(path)) return 'belongs to the system. Choose a folder that holds data and nothing else'
  const keys = keyPlaces.find((name) => path.split(sep).includes(name) || existsSync(join(path, name)))
  if (keys !== undefined) return `holds keys (${keys}). Choose a folder that holds data and nothing else`
  return isReadable(path) ? undefined : 'cannot be read by sandboxes, which are other users: chmod o+rx'
}

/** Where the server is root its sandboxes are users of their own, so what counts is what the folder grants to others. */
function isReadable(path: string): boolean {
  if (process.getuid?.() === 0) return (statSync(path).mode & 0o005) === 0o005
  try {
    accessSync(path, constants.R_OK | constants.X_OK)
    return true
  } catch {
    return false
  }
}

const realOf = (path: string): string => (existsSync(path) ? realpathSync(path) : path)
const isIn = (path: string, folder: string): boolean => path === folder || path.startsWith(folder === '/' ? '/' : `${folder}${sep}`)

/** A copy may be as large as the workspace has room for. */
const copyingMs = 5 * 60_000
/** As whoever works in there, so nothing else is read than may be, and the workspace's limits hold. Blocks are shared where the file system can. */
const copying =
  'mkdir -p /workspace/data && cp -R --reflink=auto --no-preserve=ownership -- "$1" "/workspace/data/$2" && chmod -R u+rwX -- "/workspace/data/$2"'

/** Lays what lies in shown folders out in a new workspace, in `data/<name>`, to be changed there. Throws when it is not whole. */
export async function copyFolders(names: readonly string[], sandbox: Sandbox, signal: AbortSignal): Promise<void> {
  for (const name of names) {
    const { exitCode, stderr } = await sandbox.exec({ cmd: 'sh', args: ['-c', copying, 'sh', dataPath(name), name], timeoutMs: copyingMs }, { signal })
    if (exitCode === 0) continue
    const isFull = /No space left|File too large|File size limit|Disk quota|may hold/i.test(stderr)
    throw failure(
      isFull ? 'over_limit' : 'invalid',
      `The folder ${name} could not be copied into the workspace: ${stderr.trim().slice(0, 600) || `exit code ${exitCode}`}. ${isFull ? 'Raise sandbox.limits, or ask for it with mode read.' : 'It may hold links, sockets or files that others cannot read.'}`,
    )
  }
}
