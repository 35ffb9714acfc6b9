/** The files of an agent's folder as they are sent to the server. */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, relative, resolve, sep } from 'node:path'
import { type CodeFile, Name, codeBytesMax, codeFilesMax, isNoCode } from '@longhaul/protocol'
import { Problem } from '../problem.ts'
import { bundle, bundleScript, declarationOf, packagesOf, scriptOf } from './bundle.ts'

export type Collected = { agent: string; files: CodeFile[]; bytes: number; bundled: string[]; /** It is no agent, but an MCP server. */ isMcpServer: boolean }

/**
 * Reads what is to be deployed. Code that imports packages which the server does not bring is bundled with them; everything else is
 * sent as it is. Throws a `Problem` that names the file or the setting in the way.
 */
export async function collect(folder: string, { agent: named }: { agent?: string | undefined } = {}): Promise<Collected> {
  const root = resolve(folder)
  const agent = named ?? basename(root)
  if (!Name.safeParse(agent).success) {
    throw new Problem(
      'invalid',
      `"${agent}" cannot name an agent: use lower-case letters, digits and hyphens.`,
      'Rename the folder, or give a name with --agent.',
    )
  }
  if (!existsSync(join(root, 'agent'))) {
    throw new Problem('not_found', `${folder} holds no agent: there is no agent/agent.ts and no agent/agent.json in it.`, `npx longhaul init ${folder}`)
  }
  const script = await scriptOf(root)
  const isMcpServer = (await declarationOf(root)).kind === 'mcp'
  const packages = await packagesOf(root, script !== undefined)
  if (packages.length === 0) return { agent, ...(await readTree(root, root)), bundled: [], isMcpServer }
  const built = await mkdtemp(join(tmpdir(), 'longhaul-bundle-'))
  try {
    await (script === undefined ? bundle(root, built) : bundleScript(root, script, built))
    const code = await readTree(built, built)
    const isBundled = script === undefined ? /^agent\/(agent|tools\/[^/]+)\.(ts|js|mts|mjs)$/ : /^agent\/(agent\.json|.+\.(ts|js|mts|mjs))$/
    const data = await readTree(root, root, (path) => isBundled.test(path))
    return { agent, files: [...code.files, ...data.files], bytes: code.bytes + data.bytes, bundled: packages, isMcpServer }
  } finally {
    await rm(built, { recursive: true, force: true })
  }
}

async function readTree(root: string, folder: string, isLeftOut: (path: string) => boolean = () => false): Promise<{ files: CodeFile[]; bytes: number }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .filter((path) => !isNoCode(path) && !isLeftOut(path))
    .toSorted()
  if (paths.length > codeFilesMax) throw new Problem('too_large', `There are ${paths.length} files; at most ${codeFilesMax} are deployed.`)
  const files: CodeFile[] = []
  let bytes = 0
  for (const path of paths) {
    const content = await readFile(join(root, path))
    bytes += content.length
    if (bytes > codeBytesMax) throw new Problem('too_large', `There are more than ${codeBytesMax} bytes of code, ${path} among them.`)
    files.push({ path, base64: content.toString('base64') })
  }
  return { files, bytes }
}
