/** From a folder with an agent to a version: a copy of its code under the digest of that code, which no later edit can change. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { cp, mkdir, readFile, readdir, rename, rm, symlink } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { Name } from '@longhaul/protocol'
import { AppError, newId } from '../kernel/index.ts'

/** Not code: results of a build, tests, and what a person keeps beside the agent. */
const isLeftOut = (path: string) => /(^|\/)(node_modules|evals|\.git|\.longhaul|dist)(\/|$)|\.test\.ts$|(^|\/)\.DS_Store$/.test(path.split(sep).join('/'))

const filesMax = 5_000
const bytesMax = 100_000_000

/** Folders directly under `folder` that hold an agent. */
export async function findAgentFolders(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new AppError('invalid', `The agents' folder ${folder} cannot be read. Make it, or set LONGHAUL_AGENTS_DIR to the one you mean.`, cause)
  })
  return entries
    .filter((entry) => entry.isDirectory() && existsSync(join(folder, entry.name, 'agent', 'agent.ts')))
    .map((entry) => join(folder, entry.name))
    .toSorted()
}

export type Deployed = { agent: string; version: string; folder: string }

/** Copies the agent's folder to `<versionsDir>/<agent>/<version>`, unless the same code lies there already. */
export async function copyVersion(source: string, versionsDir: string): Promise<Deployed> {
  const agent = basename(source)
  const name = Name.safeParse(agent)
  if (!name.success) throw new AppError('invalid', `The folder ${source} cannot name an agent: use lower-case letters, digits and hyphens.`)
  const files = await listFiles(source)
  const version = (await digestOf(source, files)).slice(0, 12)
  const folder = join(resolve(versionsDir), agent, version)
  if (!existsSync(folder)) {
    const draft = `${folder}.${newId()}`
    for (const file of files) {
      await mkdir(dirname(join(draft, file)), { recursive: true })
      await cp(join(source, file), join(draft, file))
    }
    const modules = nearestModules(source)
    if (modules) await symlink(modules, join(draft, 'node_modules'))
    // Another server on the same folder may have been first: its copy is the same.
    await rename(draft, folder).catch(async (error: unknown) => {
      await rm(draft, { recursive: true })
      if (!existsSync(folder)) throw error
    })
  }
  return { agent, version, folder }
}

async function listFiles(source: string): Promise<string[]> {
  const entries = await readdir(source, { recursive: true, withFileTypes: true })
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(source, join(entry.parentPath, entry.name)))
    .filter((path) => !isLeftOut(path))
    .toSorted()
  if (files.length > filesMax) throw new AppError('too_large', `${source} has ${files.length} files; at most ${filesMax} are deployed.`)
  return files
}

async function digestOf(source: string, files: string[]): Promise<string> {
  const hash = createHash('sha256')
  let bytes = 0
  for (const file of files) {
    const content = await readFile(join(source, file))
    bytes += content.length
    if (bytes > bytesMax) throw new AppError('too_large', `${source} has more than ${bytesMax} bytes; that is too much code for an agent.`)
    hash.update(`${file.split(sep).join('/')}\0${content.length}\0`).update(content)
  }
  return hash.digest('hex')
}

/** Packages that the code imports. The copy refers to the installation it was deployed from. */
function nearestModules(source: string): string | undefined {
  for (let at = resolve(source); ; at = dirname(at)) {
    if (existsSync(join(at, 'node_modules'))) return join(at, 'node_modules')
    if (dirname(at) === at) return undefined
  }
}
