import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFrameReader, encodeFrame, encodeMessage, type Frame, FrameError, framePayloadMax, kinds, messageBytesMax } from './frames.ts'

const kind = fc.constantFrom(...Object.values(kinds))

test('frames arrive as they were sent, however the stream is cut', () => {
  const frame = fc.record({ kind, id: fc.nat(0xffff_ffff), payload: fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)) })
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 20 }), fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1 }), (frames, cuts) => {
      const bytes = Buffer.concat(frames.map((each) => encodeFrame(each.kind, each.id, each.payload)))
      const received: Frame[] = []
      const reader = createFrameReader((each) => received.push(each))
      for (let at = 0, i = 0; at < bytes.length; i++) {
        const length = cuts[i % cuts.length] ?? 1
        reader.push(bytes.subarray(at, at + length))
        at += length
      }
      expect(received).toEqual(frames)
    }),
  )
})

test('any bytes at all either are frames within their bounds or raise a FrameError', () => {
  let refused = 0
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 9, maxLength: 5_000 }), (bytes) => {
      const reader = createFrameReader(({ payload }) => expect(payload.length).toBeLessThanOrEqual(framePayloadMax))
      try {
        reader.push(Buffer.from(bytes))
      } catch (error) {
        if (!(error instanceof FrameError)) throw error
        refused++
      }
    }),
    { numRuns: 2_000 },
  )
  expect(refused).toBeGreaterThan(100)
})

test('a length that is too large is refused before anything is kept', () => {
  const head = (length: number, kind: number) => {
    const bytes = Buffer.alloc(9)
    bytes.writeUInt32BE(length, 0)
    bytes.writeUInt8(kind, 4)
    return bytes
  }
  const read = (bytes: Buffer) => () => createFrameReader(() => {}).push(bytes)
  expect(read(head(framePayloadMax + 5, kinds.data))).not.toThrow()
  expect(read(head(framePayloadMax + 6, kinds.data))).toThrow(FrameError)
  expect(read(head(messageBytesMax + 5, kinds.message))).not.toThrow()
  expect(read(head(messageBytesMax + 6, kinds.message))).toThrow(FrameError)
  expect(read(head(0xffff_ffff, kinds.data))).toThrow(FrameError)
  expect(read(head(4, kinds.data))).toThrow(FrameError)
  expect(read(head(5, 9))).toThrow(FrameError)
})

test('a message is JSON', () => {
  const received: Frame[] = []
  createFrameReader((each) => received.push(each)).push(encodeMessage(7, { do: 'go' }))
  expect(received).toEqual([{ kind: kinds.message, id: 7, payload: Buffer.from('{"do":"go"}') }])
})
