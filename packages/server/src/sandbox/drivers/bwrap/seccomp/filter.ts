import { assemble, type Instruction } from './bpf.ts'
import { type Architecture, architectures, checkedCalls, deniedCalls, numberOn, unwatchedMemoryCalls } from './syscalls.ts'

const killProcess = 0x8000_0000
const allow = 0x7fff_0000
const errno = (number: number): number => 0x0005_0000 | number
const EPERM = 1
const ENOSYS = 38
const EAFNOSUPPORT = 97

/** Offsets in `seccomp_data`; arguments are 64 bits wide, the low half first. */
const at = { number: 0, architecture: 4, argument: (index: number) => 16 + index * 8 }

/** Calls of the x32 ABI have this bit set. */
const x32Bit = 0x4000_0000

type Action = { is: 'allow' } | { is: 'errno'; number: number } | { is: 'check'; block: string }
type Range = { first: number; action: Action }

export type FilterOptions = {
  architecture: Architecture
  /** False where no memory cgroup counts what lies outside resident sets: such memory is then not to be had. */
  isMemoryAccounted: boolean
}

/**
 * The filter of every process in a sandbox. Another architecture's calls kill the process; unknown numbers do not exist;
 * known ones are looked up in a balanced tree of number ranges, so that a call costs about eight comparisons.
 */
export function seccompFilter(options: FilterOptions): Buffer {
  return assemble(filterProgram(options))
}

export function filterProgram({ architecture, isMemoryAccounted }: FilterOptions): Instruction[] {
  const ranges = toRanges(actions(architecture, isMemoryAccounted))
  return [
    { do: 'load', offset: at.architecture },
    { do: 'if', test: 'equal', value: architectures[architecture].audit, then: 'native' },
    { do: 'return', value: killProcess },
    { do: 'label', name: 'native' },
    { do: 'load', offset: at.number },
    { do: 'if', test: 'atLeast', value: x32Bit, then: 'unknown' },
    { do: 'go', to: 'tree' },
    { do: 'label', name: 'unknown' },
    { do: 'return', value: errno(ENOSYS) },
    { do: 'label', name: 'tree' },
    ...tree(ranges, 't'),
    ...cloneCheck,
    ...socketCheck,
    ...ioctlCheck,
  ]
}

/** What happens to each number, from 0 to one past the last that is known. */
function actions(architecture: Architecture, isMemoryAccounted: boolean): Action[] {
  const { known } = architectures[architecture]
  const last = Math.max(...known.map(([, end]) => end))
  const table: Action[] = Array.from({ length: last + 2 }, (_, number) =>
    known.some(([first, end]) => number >= first && number <= end) ? { is: 'allow' } : { is: 'errno', number: ENOSYS },
  )
  const set = (numbers: readonly [number | null, number | null], action: Action) => {
    const number = numberOn(architecture, numbers)
    if (number !== null) table[number] = action
  }
  const denied = isMemoryAccounted ? deniedCalls : { ...deniedCalls, ...unwatchedMemoryCalls }
  for (const numbers of Object.values(denied)) set(numbers, { is: 'errno', number: EPERM })
  set(checkedCalls.clone3, { is: 'errno', number: ENOSYS })
  set(checkedCalls.clone, { is: 'check', block: 'clone' })
  set(checkedCalls.socket, { is: 'check', block: 'socket' })
  set(checkedCalls.ioctl, { is: 'check', block: 'ioctl' })
  return table
}

function toRanges(table: Action[]): Range[] {
  const same = (a: Action, b: Action) => JSON.stringify(a) === JSON.stringify(b)
  return table.flatMap((action, first) => {
    const before = table[first - 1]
    return before && same(before, action) ? [] : [{ first, action }]
  })
}

/** The smaller half comes after the larger: an `if` reaches 255 instructions, a `go` any distance. */
function tree(ranges: Range[], path: string): Instruction[] {
  const [only, second] = ranges
  if (!only) throw new Error('A tree of no ranges.')
  if (!second) return [leaf(only.action)]
  const middle = Math.ceil(ranges.length / 2)
  const upper = ranges[middle] ?? second // `middle` is at most length - 1 when there are two or more.
  return [
    { do: 'if', test: 'atLeast', value: upper.first, then: `${path}1` },
    ...tree(ranges.slice(0, middle), `${path}0`),
    { do: 'label', name: `${path}1` },
    ...tree(ranges.slice(middle), `${path}1`),
  ]
}

function leaf(action: Action): Instruction {
  if (action.is === 'check') return { do: 'go', to: action.block }
  return { do: 'return', value: action.is === 'allow' ? allow : errno(action.number) }
}

/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const namespaceFlags = 0x0002_0000 | 0x0200_0000 | 0x0400_0000 | 0x0800_0000 | 0x1000_0000 | 0x2000_0000 | 0x4000_0000

const cloneCheck: Instruction[] = [
  { do: 'label', name: 'clone' },
  { do: 'load', offset: at.argument(0) },
  { do: 'if', test: 'anyBit', value: namespaceFlags, then: 'clone-denied' },
  { do: 'return', value: allow },
  { do: 'label', name: 'clone-denied' },
  { do: 'return', value: errno(EPERM) },
]

const family = { unix: 1, inet: 2, inet6: 10, netlink: 16 }
const socketTypeMask = 0xf // Above it are SOCK_NONBLOCK and SOCK_CLOEXEC.
const rawSocket = 3
const packetSocket = 10

/** UNIX, INET, INET6 and NETLINK_ROUTE. Others (VSOCK first of all) are not kept apart by namespaces. */
const socketCheck: Instruction[] = [
  { do: 'label', name: 'socket' },
  { do: 'load', offset: at.argument(0) },
  { do: 'if', test: 'equal', value: family.unix, then: 'socket-allowed' },
  { do: 'if', test: 'equal', value: family.inet, then: 'socket-type' },
  { do: 'if', test: 'equal', value: family.inet6, then: 'socket-type' },
  { do: 'if', test: 'equal', value: family.netlink, then: 'socket-netlink' },
  { do: 'return', value: errno(EAFNOSUPPORT) },
  { do: 'label', name: 'socket-type' },
  { do: 'load', offset: at.argument(1) },
  { do: 'and', value: socketTypeMask },
  { do: 'if', test: 'equal', value: rawSocket, then: 'socket-denied' },
  { do: 'if', test: 'equal', value: packetSocket, then: 'socket-denied' },
  { do: 'return', value: allow },
  { do: 'label', name: 'socket-netlink' },
  { do: 'load', offset: at.argument(2) },
  { do: 'if', test: 'equal', value: 0, then: 'socket-allowed' },
  { do: 'label', name: 'socket-denied' },
  { do: 'return', value: errno(EPERM) },
  { do: 'label', name: 'socket-allowed' },
  { do: 'return', value: allow },
]

const TIOCSTI = 0x5412
const TIOCLINUX = 0x541c

/** Both put characters into the terminal's input. The kernel looks at the low 32 bits of the command only, and so does this. */
const ioctlCheck: Instruction[] = [
  { do: 'label', name: 'ioctl' },
  { do: 'load', offset: at.argument(1) },
  { do: 'if', test: 'equal', value: TIOCSTI, then: 'ioctl-denied' },
  { do: 'if', test: 'equal', value: TIOCLINUX, then: 'ioctl-denied' },
  { do: 'return', value: allow },
  { do: 'label', name: 'ioctl-denied' },
  { do: 'return', value: errno(EPERM) },
]
