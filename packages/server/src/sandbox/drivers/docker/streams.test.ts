import { Duplex, PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { splitStreams } from './streams.ts'

const frame = (stream: number, text: string): Buffer => {
  const head = Buffer.alloc(8)
  head.writeUInt8(stream, 0)
  head.writeUInt32BE(Buffer.byteLength(text), 4)
  return Buffer.concat([head, Buffer.from(text)])
}

/** What both readers got of these pieces, and what went wrong. */
async function split(first: Buffer, pieces: readonly Buffer[], highWaterMark = 1_024): Promise<{ stdout: string; stderr: string; error: string | undefined }> {
  const socket = new Duplex({ read() {}, write: (_, __, done) => done() })
  const [stdout, stderr] = [new PassThrough({ highWaterMark }), new PassThrough({ highWaterMark })]
  let error: string | undefined
  socket.on('error', (why) => (error = why.message))
  splitStreams(socket, first, { stdout, stderr })
  for (const piece of pieces) socket.push(piece)
  socket.push(null)
  const texts = await Promise.all([stdout, stderr].map(async (each) => Buffer.concat(await each.toArray()).toString()))
  return { stdout: texts[0] ?? '', stderr: texts[1] ?? '', error }
}

const all = Buffer.concat([frame(1, 'one '), frame(2, 'error'), frame(1, ''), frame(1, 'two ü')])
const expected = { stdout: 'one two ü', stderr: 'error', error: undefined }

test('streams are told apart however the frames were cut', async () => {
  expect(await split(all, [])).toEqual(expected)
  expect(await split(all.subarray(0, 3), [all.subarray(3)])).toEqual(expected)
  expect(
    await split(
      Buffer.alloc(0),
      Array.from(all, (byte) => Buffer.from([byte])),
    ),
  ).toEqual(expected)
})

test('what no reader has taken waits in the connection', async () => {
  const long = 'x'.repeat(100_000)
  expect(await split(Buffer.alloc(0), [frame(1, long), frame(2, long), frame(1, 'end')], 16)).toEqual({ stdout: `${long}end`, stderr: long, error: undefined })
})

test('anything but frames of output cuts the connection off', async () => {
  const message = 'The engine sent something else than output.'
  expect(await split(frame(1, 'good'), [frame(3, 'bad')])).toEqual({ stdout: 'good', stderr: '', error: message })
  expect((await split(Buffer.from('HTTP/1.1 200 OK'), [])).error).toBe(message)
})
