import { expect, test } from 'vitest'
import { assemble, type Instruction } from './bpf.ts'

test('instructions take eight bytes each, labels none', () => {
  const program: Instruction[] = [
    { do: 'load', offset: 4 },
    { do: 'if', test: 'equal', value: 0xc000_003e, then: 'yes' },
    { do: 'return', value: 1 },
    { do: 'label', name: 'yes' },
    { do: 'return', value: 0x7fff_0000 },
  ]
  expect(assemble(program).toString('hex').match(/.{16}/g)).toEqual(['2000000004000000', '150001003e0000c0', '0600000001000000', '060000000000ff7f'])
})

test('a jump that the kernel could not take is an error here', () => {
  const padding: Instruction[] = Array.from({ length: 256 }, () => ({ do: 'return', value: 0 }))
  const jump: Instruction = { do: 'if', test: 'anyBit', value: 1, then: 'end' }
  const end: Instruction[] = [
    { do: 'label', name: 'end' },
    { do: 'return', value: 0 },
  ]
  expect(() => assemble([jump, ...padding.slice(1), ...end])).not.toThrow()
  expect(() => assemble([jump, ...padding, ...end])).toThrow(/256/)
  expect(() => assemble([{ do: 'go', to: 'end' }, ...padding, ...end])).not.toThrow()
  expect(() => assemble([...end, { do: 'go', to: 'end' }])).toThrow(/skips/)
  expect(() => assemble([{ do: 'go', to: 'nowhere' }])).toThrow(/nowhere/)
  expect(() => assemble([...end, ...end])).toThrow(/twice/)
  expect(() => assemble(Array.from({ length: 4097 }, () => ({ do: 'return', value: 0 })))).toThrow(/4097/)
})
