import type { Log } from '../../../kernel/index.ts'
import type { Capabilities, CreateOptions, Sandbox, SandboxDriver } from '../../driver.ts'
import { defaultLimits } from '../../limits.ts'
import { killRecorded } from '../../records.ts'
import { removeTree } from '../../remove-tree.ts'
import { type Root, removeOrphans } from '../../root.ts'
import { createVirtualSandbox } from './sandbox.ts'

/** `js` is `virtual` with a command that runs snippets of JavaScript. */
export type VirtualOptions = { name?: 'virtual' | 'js'; root: Root; log: Log; idleMs?: number; orphanAgeMs?: number }

const megabyte = 1024 * 1024
const day = 24 * 60 * 60 * 1_000
/** Everything is kept in memory and written whole, so a workspace is smaller than on disk. */
const virtualLimits = { ...defaultLimits, memoryBytesMax: 256 * megabyte, diskBytesMax: 64 * megabyte, fileCountMax: 10_000 }

/** What a snippet must not find. */
const look = 'console.log([typeof fetch, typeof WebAssembly, typeof XMLHttpRequest].every((each) => each === "undefined") ? "alone" : "open")'

/** The just-bash library in a process that can be ended. For hosts on which no real sandbox can be had. */
export function virtualDriver({ name = 'virtual', root, log, idleMs = 60_000, orphanAgeMs = 30 * day }: VirtualOptions): SandboxDriver {
  const live = new Map<string, Promise<Sandbox>>()
  const hasJavaScript = name === 'js'

  async function create({ id, seed, limits }: CreateOptions): Promise<Sandbox> {
    const folder = root.folderOf(id)
    const before = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
    await before?.stop()
    const asked = { ...virtualLimits, ...limits }
    const bounded = {
      ...asked,
      diskBytesMax: Math.min(asked.diskBytesMax, virtualLimits.diskBytesMax),
      fileCountMax: Math.min(asked.fileCountMax, virtualLimits.fileCountMax),
    }
    const onStopped = () => {
      if (live.get(folder) === creating) live.delete(folder)
    }
    const creating = createVirtualSandbox({ driver: name, root, log, folder, limits: bounded, seed, idleMs, onStopped })
    live.set(folder, creating)
    try {
      return await creating
    } catch (error) {
      live.delete(folder)
      throw error
    }
  }

  async function probe(): Promise<Capabilities> {
    const sandbox = await create({ id: '\0probe' })
    try {
      const { stdout } = await sandbox.exec(
        {
          script: `printf "b\\na\\n" | sort | tr "\\n" " "; cat /etc/hostname /etc/passwd 2>&1 | grep -c "No such file"${hasJavaScript ? `; js -e '${look}'` : ''}`,
          timeoutMs: 20_000,
        },
        { signal: new AbortController().signal },
      )
      const isUsable = stdout === `a b 2\n${hasJavaScript ? 'alone\n' : ''}`
      return {
        driver: name,
        kernel: 'none',
        isUsable,
        enforced: isUsable
          ? [
              'no real process',
              'no host file',
              'no network',
              'commands are interpreted in a process that is ended at their time-out',
              'that process may start no program and write no file',
              'memory limit of that process',
              ...(hasJavaScript ? ['JavaScript in a machine of its own for each snippet, with a memory limit, without modules of Node'] : []),
              'disk and file limit: what would pass it is not kept',
            ]
          : [],
        missing: [
          ...(isUsable ? [] : [{ what: 'the interpreters give the expected answer', remedy: 'npm ci' }]),
          {
            what: `python3, node and every other real program${hasJavaScript ? '; for snippets there is js' : ''}`,
            remedy: process.platform === 'linux' ? 'apt-get install bubblewrap python3' : 'Run the server on Linux with bubblewrap installed.',
          },
        ],
        gaps: ['cpu'],
        languages: isUsable ? ['sh', ...(hasJavaScript ? ['js'] : [])] : [],
      }
    } finally {
      await sandbox.destroy()
    }
  }

  return {
    name,
    probe,
    create,
    async remove(id) {
      const folder = root.folderOf(id)
      const known = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
      await (known ? known.destroy() : removeTree(folder))
    },
    async sweep() {
      const processes = (await killRecorded(root)).length
      const workspacesTooOld = await removeOrphans(root, orphanAgeMs)
      if (processes + workspacesTooOld > 0) log.warn('swept what a killed server left', { processes, workspacesTooOld })
    },
    async stop() {
      await Promise.all([...live.values()].map(async (each) => (await each.catch(() => undefined))?.stop()))
      live.clear()
    },
  }
}
