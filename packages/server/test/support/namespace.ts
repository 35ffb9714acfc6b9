/** A network of its own for a process, with one cable to this machine's, in which the kernel itself loses packets in one direction or both. Linux, root, iproute2 and nftables. */
import { execFileSync } from 'node:child_process'

export type Direction = 'to the database' | 'from the database' | 'both'

export type Namespace = Disposable & {
  /** Starts a program in it. */
  through: readonly string[]
  /** What it has for an address, and what it knows this machine by. */
  inside: string
  outside: string
  /** Packets to and from this port outside are lost from now on, and nobody is told. */
  cut(port: number, direction: Direction): void
  /** Connections that nobody has given up meanwhile go on. */
  mend(): void
}

export function canMakeNamespaces(): boolean {
  try {
    makeNamespace('probe')[Symbol.dispose]()
    return true
  } catch {
    return false // Not root, another system, or one of the two programs is missing.
  }
}

const ip = (...args: string[]) => void execFileSync('ip', args, { stdio: 'pipe' })

/** `name` tells those of one process apart. */
export function makeNamespace(name: string): Namespace {
  const full = `longhaul-${process.pid}-${name}`
  const cable = `lh${process.pid}${name.slice(0, 2)}`
  const net = 4 * ((process.pid * 7 + name.charCodeAt(0)) % 16_000)
  const address = (n: number) => `10.213.${(net + n) >> 8}.${(net + n) & 255}`
  const [outside, inside] = [address(1), address(2)]
  const within = ['netns', 'exec', full] as const
  const nft = (...commands: string[]) => ip(...within, 'nft', commands.join('; '))
  const remove = () => ip('netns', 'delete', full) // Its end of the cable, and with it the other, go along.
  ip('netns', 'add', full)
  try {
    ip('link', 'add', cable, 'type', 'veth', 'peer', 'name', 'cable', 'netns', full)
    ip('address', 'add', `${outside}/30`, 'dev', cable)
    ip('link', 'set', cable, 'up')
    ip(...within, 'ip', 'address', 'add', `${inside}/30`, 'dev', 'cable')
    ip(...within, 'ip', 'link', 'set', 'cable', 'up')
    ip(...within, 'ip', 'link', 'set', 'lo', 'up')
    nft('add table ip cut', 'add chain ip cut out { type filter hook output priority 0; }', 'add chain ip cut in { type filter hook input priority 0; }')
  } catch (error) {
    remove()
    throw error
  }
  return {
    through: ['ip', ...within],
    inside,
    outside,
    cut(port, direction) {
      if (direction !== 'from the database') nft(`add rule ip cut out tcp dport ${port} drop`)
      if (direction !== 'to the database') nft(`add rule ip cut in tcp sport ${port} drop`)
    },
    mend: () => nft('flush chain ip cut out', 'flush chain ip cut in'),
    [Symbol.dispose]: remove,
  }
}
