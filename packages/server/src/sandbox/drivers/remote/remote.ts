/** A driver over a hosted service: each sandbox is a machine of theirs, found again by its name. */
import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { type Log, toFailure } from '../../../kernel/index.ts'
import type { Capabilities, CreateOptions, Sandbox, SandboxDriver } from '../../driver.ts'
import { defaultLimits } from '../../limits.ts'
import { removeTree } from '../../remove-tree.ts'
import { type Root, removeOrphans, sandboxFolders } from '../../root.ts'
import { createRemoteSandbox } from './sandbox.ts'
import { type RemoteService, RemoteError } from './service.ts'

export type RemoteOptions = { service: RemoteService; root: Root; log: Log; idleMs?: number; orphanAgeMs?: number }

const day = 24 * 60 * 60 * 1_000
const markerName = 'remote.json'
const probeTimeoutMs = 60_000
/** Addresses that are everywhere on the internet. Nothing may come from there. */
const look = `for a in 1.1.1.1/443 8.8.8.8/53; do (timeout 3 bash -c "exec 3<>/dev/tcp/$a") 2>/dev/null && echo open; done
node -e 'console.log("node")' 2>/dev/null; python3 -c 'print("python3")' 2>/dev/null; echo there`

export function remoteDriver({ service, root, log, idleMs = 300_000, orphanAgeMs = 30 * day }: RemoteOptions): SandboxDriver {
  const live = new Map<string, Promise<Sandbox>>()
  /** The same for the same workspace, and different from everybody else's in the account. */
  const nameOf = (folder: string) =>
    `longhaul-${createHash('sha256')
      .update(`${root.home}/${basename(folder)}`)
      .digest('hex')
      .slice(0, 40)}`

  async function create({ id, seed, limits }: CreateOptions): Promise<Sandbox> {
    const folder = root.folderOf(id)
    const before = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
    await before?.stop()
    const marker = join(folder, markerName)
    const name = nameOf(folder)
    await root.touch(folder)
    const creating = createRemoteSandbox({
      ...{ service, root, log, folder, name, seed, idleMs, isMade: existsSync(marker), limits: { ...defaultLimits, ...limits } },
      onMade: () => writeFile(marker, JSON.stringify({ service: service.name, name })),
      onStopped() {
        if (live.get(folder) === creating) live.delete(folder)
      },
    })
    live.set(folder, creating)
    try {
      return await creating
    } catch (error) {
      live.delete(folder)
      throw error
    }
  }

  async function probe(): Promise<Capabilities> {
    const capabilities = { driver: service.name, kernel: 'own' as const, isUsable: false, enforced: [], gaps: [], languages: [] }
    const settings = `LONGHAUL_SANDBOX_${service.name.toUpperCase()}_`
    try {
      const sandbox = await create({ id: '\0probe' })
      try {
        const { stdout, stderr } = await sandbox.exec({ script: look, timeoutMs: probeTimeoutMs }, { signal: new AbortController().signal })
        const words = stdout.split(/\s+/)
        if (!words.includes('there'))
          return { ...capabilities, missing: [{ what: `commands run: ${stderr.slice(0, 400)}`, remedy: 'Choose an image with sh, bash, tar, find and stat.' }] }
        if (words.includes('open'))
          return {
            ...capabilities,
            missing: [{ what: 'no network (tried inside)', remedy: 'Ask the service why a machine that may reach nothing reaches the internet.' }],
          }
        return { ...capabilities, isUsable: true, ...enforced(words) }
      } finally {
        await sandbox.destroy()
      }
    } catch (error) {
      const message = (error instanceof RemoteError ? error : toFailure(error)).message.slice(0, 600)
      return { ...capabilities, missing: [{ what: `machines of ${service.name}: ${message}`, remedy: `Check ${settings}* and what the account may do.` }] }
    }
  }

  return {
    name: service.name,
    probe,
    create,
    async remove(id) {
      const folder = root.folderOf(id)
      const known = await live.get(folder)?.catch(() => undefined) // Its own caller was told why.
      if (known) return known.destroy()
      if (existsSync(join(folder, markerName))) await service.remove(nameOf(folder))
      await removeTree(folder)
    },
    async sweep() {
      const mine = sandboxFolders(root).filter((folder) => existsSync(join(folder, markerName)))
      const count = await removeOrphans(root, orphanAgeMs)
      for (const folder of mine)
        if (!existsSync(folder))
          await service.remove(nameOf(folder)).catch((error: unknown) => log.warn('a machine that nobody uses was not removed', { error }))
      if (count > 0) log.warn('swept workspaces that nobody used', { workspacesTooOld: count })
    },
    async stop() {
      await Promise.all([...live.values()].map(async (each) => (await each.catch(() => undefined))?.stop()))
      live.clear()
    },
  }
}

function enforced(words: readonly string[]): Pick<Capabilities, 'enforced' | 'missing' | 'gaps' | 'languages'> {
  const remedy = 'Use the driver bwrap, gvisor, docker or kubernetes.'
  return {
    enforced: [
      'a machine of the service’s: code shares no kernel with this server, by the service’s word',
      'no network: tried inside, and the service is asked for none',
      'memory, processes and disk of the machine’s size; time-outs are ours',
    ],
    missing: [
      { what: 'the limits of memory, processes and disk that are asked for: the machine has its own', remedy },
      { what: 'an end to what a command leaves running before the sandbox rests; at a time-out, what clears its environment escapes', remedy },
      { what: 'ways out, archives, snapshots and forks of ours, ports, watching, input as it comes', remedy },
    ],
    gaps: ['memory', 'disk', 'processes'],
    languages: ['sh', ...['node', 'python3'].filter((each) => words.includes(each))],
  }
}
