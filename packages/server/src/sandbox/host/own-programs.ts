/** Programs of this host's that start commands where the root is an image's, which may have other libraries or none: each with the libraries that it needs, beside it. */
import { existsSync, realpathSync } from 'node:fs'
import { chmod, copyFile, mkdir, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { runProgram } from '../../kernel/index.ts'
import type { OwnProgram } from '../agent/host.ts'
import { failure } from '../failures.ts'
import { findProgram } from './runtime.ts'

/** In the folder of what all sandboxes share. */
export const ownRoot = 'own'
/** Where it is, seen from inside. Short: it stands in the agent's program in place of a path of this host's. */
export const ownLibraries = '/run/longhaul/o'
const loader = `${ownLibraries}/ld`

/** The command line that becomes the program. It hears neither the image's nor the command's own paths of libraries. */
export const ownProgram = (name: OwnProgram): string[] => [loader, '--library-path', `${ownLibraries}/lib`, `${ownLibraries}/${name}`]

/** Made anew at each start of a server, whose host may have other libraries by now. */
export async function prepareOwnPrograms(runtimeFolder: string): Promise<void> {
  const folder = join(runtimeFolder, ownRoot)
  const making = `${folder}.new`
  await rm(making, { recursive: true, force: true })
  await mkdir(join(making, 'lib'), { recursive: true })
  const programs = { sh: '/bin/sh', prlimit: findProgram('prlimit') ?? '' }
  const found = await Promise.all([process.execPath, ...Object.values(programs)].map(librariesOf))
  const [interpreter] = found.flatMap((each) => each.loader)
  if (interpreter === undefined)
    throw failure(
      'sandbox_unavailable',
      'Images cannot run on this host: its programs are not linked with the GNU C library, by whose loader ours are started.',
    )
  await copyFile(realpathSync(interpreter), join(making, 'ld'))
  for (const [name, path] of Object.entries(programs)) await copyFile(realpathSync(path), join(making, name))
  const libraries = found.flatMap((each) => each.libraries)
  for (const path of new Set([...libraries, ...namesOfMachines(libraries)])) await copyFile(realpathSync(path), join(making, 'lib', basename(path)))
  await copyFile(process.execPath, join(making, 'node-x'))
  await replaceLoader(join(making, 'node-x'), loader)
  for (const each of [making, join(making, 'lib')]) {
    await chmod(each, 0o755)
    for (const name of await readdir(each)) if (name !== 'lib') await chmod(join(each, name), name === 'node-x' ? 0o111 : 0o555)
  }
  await rm(folder, { recursive: true, force: true })
  await rename(making, folder)
}

/** What the loader itself says that a program is linked with. */
async function librariesOf(program: string): Promise<{ loader: string | undefined; libraries: string[] }> {
  const { stdout } = await runProgram(program, [], { env: { LD_TRACE_LOADED_OBJECTS: '1' }, timeoutMs: 10_000 })
  const libraries = [...stdout.matchAll(/=> (\/\S+)/g)].map(([, path = '']) => path)
  return { libraries, loader: /^\s*(\/\S*ld-linux\S*)/m.exec(stdout)?.[1] }
}

/** Older C libraries load what looks up `localhost` only then. */
const namesOfMachines = (libraries: readonly string[]): string[] =>
  libraries
    .filter((path) => basename(path) === 'libc.so.6')
    .map((path) => join(dirname(path), 'libnss_files.so.2'))
    .filter((path) => existsSync(path))

const interpreterType = 3

/** Writes another loader's path into a program, where the kernel reads it: it may then be executed without being read, as it is with this host's root. */
async function replaceLoader(program: string, path: string): Promise<void> {
  const file = await open(program, 'r+')
  try {
    const head = Buffer.alloc(64)
    await file.read(head, 0, 64, 0)
    const [start, size, count] = [Number(head.readBigUInt64LE(32)), head.readUInt16LE(54), head.readUInt16LE(56)]
    const table = Buffer.alloc(size * count)
    await file.read(table, 0, table.length, start)
    for (let at = 0; at < table.length; at += size) {
      if (table.readUInt32LE(at) !== interpreterType) continue
      const [offset, length] = [Number(table.readBigUInt64LE(at + 8)), Number(table.readBigUInt64LE(at + 32))]
      if (Buffer.byteLength(path) >= length) break
      const bytes = Buffer.alloc(length)
      bytes.write(path)
      await file.write(bytes, 0, length, offset)
      return
    }
    throw failure('sandbox_unavailable', `Images cannot run on this host: the loader of ${process.execPath} has no place for another path.`)
  } finally {
    await file.close()
  }
}
