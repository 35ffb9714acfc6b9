import { expect, test } from 'vitest'
import { batches } from './connection.ts'

const frame = (length: number) => JSON.stringify('x'.repeat(length - 2))

test('messages hold the frames in their order, and none is longer than the limit unless one frame is', () => {
  const frames = [frame(40), frame(40), frame(40), frame(300), frame(10), frame(10)]
  const messages = batches(frames, 100)
  expect(messages.map((message) => (JSON.parse(message) as string[]).length)).toEqual([2, 1, 1, 2])
  expect(messages.flatMap((message) => JSON.parse(message) as string[])).toEqual(frames.map((text) => JSON.parse(text) as string))
})

test('without frames there is no message', () => {
  expect(batches([])).toEqual([])
})
