import { existsSync, readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { seccompFilter } from './filter.ts'
import { type Architecture, architectures, checkedCalls, deniedCalls, numberOn, unwatchedMemoryCalls } from './syscalls.ts'

const allowed = 'allow'
const kill = 'kill'
type Call = { number: number; architecture?: number; arguments?: number[] }

/** Runs the filter's bytes as the kernel does, and says what becomes of the call and how many instructions it took. */
function run(filter: Buffer, { number, architecture = architectures.x64.audit, arguments: values = [] }: Call): { verdict: string; steps: number } {
  const data = Buffer.alloc(64)
  data.writeUInt32LE(number >>> 0, 0)
  data.writeUInt32LE(architecture, 4)
  values.forEach((value, index) => data.writeBigUInt64LE(BigInt(value), 16 + index * 8))
  let accumulator = 0
  for (let at = 0, steps = 1; ; at++, steps++) {
    const code = filter.readUInt16LE(at * 8)
    const [jumpTrue, jumpFalse] = [filter.readUInt8(at * 8 + 2), filter.readUInt8(at * 8 + 3)]
    const value = filter.readUInt32LE(at * 8 + 4)
    const branch = (holds: boolean) => (at += holds ? jumpTrue : jumpFalse)
    if (code === 0x20) accumulator = data.readUInt32LE(value)
    else if (code === 0x54) accumulator = (accumulator & value) >>> 0
    else if (code === 0x05) at += value
    else if (code === 0x15) branch(accumulator === value)
    else if (code === 0x35) branch(accumulator >= value)
    else if (code === 0x45) branch((accumulator & value) !== 0)
    else if (code === 0x06) return { verdict: value === 0x7fff_0000 ? allowed : value === 0x8000_0000 ? kill : `errno ${value & 0xffff}`, steps }
    else throw new Error(`Instruction ${code.toString(16)}`)
  }
}

const [EPERM, ENOSYS, EAFNOSUPPORT] = ['errno 1', 'errno 38', 'errno 97']

describe.each(['x64', 'arm64'] as const)('on %s', (architecture: Architecture) => {
  const filter = seccompFilter({ architecture, isMemoryAccounted: true })
  const { audit, known } = architectures[architecture]
  const verdict = (number: number | null, values: number[] = []) => run(filter, { number: number ?? -1, architecture: audit, arguments: values }).verdict
  const on = (name: keyof typeof checkedCalls) => numberOn(architecture, checkedCalls[name])

  test('every number from 0 to 6000 is allowed, denied, looked at closer, or unknown, as the tables say', () => {
    const denied = new Set(Object.values(deniedCalls).map((each) => numberOn(architecture, each)))
    const checked = new Set<number | null>([on('clone'), on('socket'), on('ioctl')])
    for (let number = 0; number < 6000; number++) {
      const expected = denied.has(number)
        ? EPERM
        : number === on('clone3')
          ? ENOSYS
          : known.some(([first, last]) => number >= first && number <= last)
            ? allowed
            : ENOSYS
      if (!checked.has(number)) expect(verdict(number), `number ${number}`).toBe(expected)
    }
  })

  test('other architectures are killed, the x32 numbers and negative ones do not exist', () => {
    for (const other of [0x4000_0003, 0x4000_0028, architecture === 'x64' ? architectures.arm64.audit : architectures.x64.audit, 0])
      expect(run(filter, { number: 0, architecture: other }).verdict).toBe(kill)
    for (const number of [0x4000_0000, 0x4000_0000 + 101, 0xffff_ffff, 0x8000_0000]) expect(verdict(number)).toBe(ENOSYS)
  })

  test('clone makes processes and threads but no namespaces', () => {
    for (const flags of [17, 0x3d_0f00, 0]) expect(verdict(on('clone'), [flags])).toBe(allowed)
    for (const flag of [0x2_0000, 0x200_0000, 0x400_0000, 0x800_0000, 0x1000_0000, 0x2000_0000, 0x4000_0000])
      expect(verdict(on('clone'), [flag | 17]), flag.toString(16)).toBe(EPERM)
  })

  test("sockets are those of the sandbox's own network and of one machine", () => {
    const socket = (...values: number[]) => verdict(on('socket'), values)
    for (const values of [
      [1, 1],
      [1, 5],
      [2, 1],
      [2, 2 | 0o4000],
      [10, 1 | 0o2000000],
      [16, 3, 0],
    ])
      expect(socket(...values), String(values)).toBe(allowed)
    for (const values of [
      [2, 3],
      [10, 3],
      [2, 3 | 0o4000],
      [2, 10],
      [16, 3, 9],
      [16, 3, 16],
    ])
      expect(socket(...values), String(values)).toBe(EPERM)
    for (let family = 0; family < 60; family++) if (![1, 2, 10, 16].includes(family)) expect(socket(family, 1), String(family)).toBe(EAFNOSUPPORT)
  })

  test('terminal input cannot be forged, whatever stands in the high half of the argument', () => {
    for (const command of [0x5412, 0x541c, 0x1_0000_5412]) expect(verdict(on('ioctl'), [0, command])).toBe(EPERM)
    for (const command of [0x5401, 0x5413, 0x5411, 0x541d]) expect(verdict(on('ioctl'), [0, command])).toBe(allowed)
  })

  test('memory that is not in any resident set is denied where only those are watched', () => {
    const strict = seccompFilter({ architecture, isMemoryAccounted: false })
    for (const numbers of Object.values(unwatchedMemoryCalls)) {
      const number = numberOn(architecture, numbers) ?? -1
      expect(verdict(number)).toBe(allowed)
      expect(run(strict, { number, architecture: audit }).verdict).toBe(EPERM)
    }
  })

  test('a call costs few instructions', () => {
    const steps = Array.from({ length: 463 }, (_, number) => run(filter, { number, architecture: audit }).steps)
    expect(Math.max(...steps)).toBeLessThan(24)
  })
})

// Read from the system's own header where there is one, so that a slip of the pen in our table cannot confirm itself.
const headers: [Architecture, string][] = [
  ['x64', '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'],
  ['arm64', '/usr/include/asm-generic/unistd.h'],
]
for (const [architecture, path] of headers) {
  const isThere = existsSync(path)
  if (!isThere)
    process.stderr.write(
      `SKIPPED: system call numbers of ${architecture} against the kernel's header: ${path} is not there (apt-get install linux-libc-dev).\n`,
    )
  test.skipIf(!isThere)(`the numbers for ${architecture} are those of the kernel's header`, () => {
    const numbers = new Map(
      [...readFileSync(path, 'utf8').matchAll(/^#define __NR(?:3264)?_(\w+)\s+(\d+)/gm)].map(([, name, number]) => [name, Number(number)]),
    )
    const ours = Object.entries({ ...deniedCalls, ...unwatchedMemoryCalls, ...checkedCalls })
    let compared = 0
    for (const [name, each] of ours) {
      const number = numberOn(architecture, each)
      const theirs = numbers.get(name)
      if (theirs === undefined) continue // Newer than the header, or older than the architecture.
      expect(number, name).toBe(theirs)
      compared++
    }
    expect(compared).toBeGreaterThan(architecture === 'x64' ? 75 : 55)
  })
}
