/** A program of the kernel's classic packet filter, as seccomp runs it: one 32-bit accumulator, forward jumps only. */
export type Instruction =
  /** Puts the 32-bit word at this offset of `seccomp_data` into the accumulator. */
  | { do: 'load'; offset: number }
  | { do: 'and'; value: number }
  /** Goes on at `then` when the test holds, else with the next instruction. */
  | { do: 'if'; test: 'equal' | 'atLeast' | 'anyBit'; value: number; then: string }
  | { do: 'go'; to: string }
  | { do: 'return'; value: number }
  /** Takes no space: the place that `if` and `go` name. */
  | { do: 'label'; name: string }

const codes = { load: 0x20, and: 0x54, go: 0x05, return: 0x06, equal: 0x15, atLeast: 0x35, anyBit: 0x45 } as const
/** `BPF_MAXINSNS`. */
const instructionsMax = 4096

/** The bytes that `seccomp(2)` and `bwrap --seccomp` take: eight for each instruction, in this machine's (little-endian) order. */
export function assemble(program: readonly Instruction[]): Buffer {
  const labels = new Map<string, number>()
  const code: Exclude<Instruction, { do: 'label' }>[] = []
  for (const instruction of program) {
    if (instruction.do !== 'label') code.push(instruction)
    else if (labels.has(instruction.name)) throw new Error(`The label ${instruction.name} is there twice.`)
    else labels.set(instruction.name, code.length)
  }
  if (code.length > instructionsMax) throw new Error(`The filter has ${code.length} instructions; the kernel takes ${instructionsMax}.`)

  const bytes = Buffer.alloc(code.length * 8)
  const distance = (from: number, label: string, max: number): number => {
    const at = labels.get(label)
    if (at === undefined || at >= code.length) throw new Error(`Nothing follows the label ${label}.`)
    const skipped = at - from - 1
    if (skipped < 0 || skipped > max) throw new Error(`The jump to ${label} skips ${skipped} instructions; 0 to ${max} is possible.`)
    return skipped
  }
  code.forEach((instruction, index) => {
    const put = (code: number, value: number, jumpTrue = 0) => {
      bytes.writeUInt16LE(code, index * 8)
      bytes.writeUInt8(jumpTrue, index * 8 + 2)
      bytes.writeUInt32LE(value >>> 0, index * 8 + 4)
    }
    switch (instruction.do) {
      case 'load':
        return put(codes.load, instruction.offset)
      case 'and':
        return put(codes.and, instruction.value)
      case 'return':
        return put(codes.return, instruction.value)
      case 'go':
        return put(codes.go, distance(index, instruction.to, 0xffff_ffff))
      case 'if':
        return put(codes[instruction.test], instruction.value, distance(index, instruction.then, 255))
    }
  })
  return bytes
}
