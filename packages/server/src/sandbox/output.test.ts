import { expect, test } from 'vitest'
import { collectOutput, storable } from './output.ts'

test('characters that are cut between two pieces are put together', () => {
  const heard: string[] = []
  const output = collectOutput(100, (text) => heard.push(text))
  const bytes = Buffer.from('aü☃')
  for (const byte of bytes) output.push(Buffer.from([byte]))
  expect(output.end()).toBe('aü☃')
  expect(heard).toEqual(['a', 'ü', '☃'])
})

test('the limit is in bytes and exact; what is dropped is known', () => {
  const output = collectOutput(3)
  output.push(Buffer.from('ab'))
  expect(output.isTruncated).toBe(false)
  output.push(Buffer.from('cd'))
  output.push(Buffer.from('ef'))
  expect([output.end(), output.isTruncated, output.bytesSeen]).toEqual(['abc', true, 6])
  const cut = collectOutput(2)
  cut.push(Buffer.from('a☃'))
  expect(cut.end()).toBe('a\ufffd')
})

test('what comes after the end is not heard', () => {
  const output = collectOutput(10)
  output.push(Buffer.from('a'))
  output.end()
  output.push(Buffer.from('b'))
  expect(output.end()).toBe('a')
})

test('text becomes storable', () => {
  expect(storable('a\0b\ud800c')).toBe('a\ufffdb\ufffdc')
})
