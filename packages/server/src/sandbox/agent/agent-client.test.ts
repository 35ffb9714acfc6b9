/** The server's side against an agent that was taken over: whatever it sends, the server refuses it or takes it for what it is. */
import { PassThrough } from 'node:stream'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { defaultLimits } from '../limits.ts'
import { type AgentClient, createAgentClient } from './agent-client.ts'
import { runCommand } from './command.ts'
import { transferFiles } from './files.ts'
import { encodeFrame, encodeMessage, kinds } from './frames.ts'
import type { Launched } from './host.ts'

const never = new AbortController().signal
const tick = () => new Promise((resolve) => setImmediate(resolve))

function hostileAgent() {
  const exited = Promise.withResolvers<number | null>()
  const output = new PassThrough()
  const killed: string[] = []
  const launched: Launched = {
    input: new PassThrough().resume(),
    output,
    complaints: () => '',
    exited: exited.promise,
    outer: { pid: 0, startedAt: '', boot: '' },
    kill: () => exited.resolve(null),
  }
  const client: AgentClient = createAgentClient(launched, (error) => {
    killed.push(error.message)
    launched.kill()
  })
  const host = {
    driver: 'bwrap',
    client,
    cgroup: undefined,
    spare: { take: () => undefined },
    limits: { ...defaultLimits, outputBytesMax: 1_000 },
    kill(why: string) {
      killed.push(why)
      launched.kill()
    },
    whyEnded: () => killed[0],
  }
  return { host, killed, send: (...frames: Buffer[]) => output.write(Buffer.concat(frames)) }
}

const trueCommand = { cmd: 'true', args: [], timeoutMs: 60_000 }

test('an agent that keeps to the protocol is not killed', async () => {
  const { host, killed, send } = hostileAgent()
  const { result } = runCommand(host, trueCommand, { signal: never })
  send(encodeMessage(1, { event: 'started' }), encodeFrame(kinds.data, 1, Buffer.from('hi')), encodeMessage(1, { event: 'exited', exitCode: 0, signal: null }))
  expect(await result).toMatchObject({ exitCode: 0, stdout: 'hi' })
  expect(killed).toEqual([])
})

test.each<[string, Buffer]>([
  ['a request that was never made', encodeMessage(2, { event: 'started' })],
  ['data for a request that was never made', encodeFrame(kinds.data, 99, Buffer.from('x'))],
  ['an unknown event', encodeMessage(1, { event: 'owned' })],
  ['a field too many', encodeMessage(1, { event: 'exited', exitCode: 0, signal: null, extra: 1 })],
  ['an exit code that none is', encodeMessage(1, { event: 'exited', exitCode: 1e9, signal: null })],
  ['a signal that none is', encodeMessage(1, { event: 'exited', exitCode: null, signal: '\u001b[31m' })],
  ['a number that no process has', encodeMessage(1, { event: 'waiting', pid: -1 })],
  ['no JSON', encodeFrame(kinds.message, 1, Buffer.from('{'))],
  ['JSON that is no object', encodeFrame(kinds.message, 1, Buffer.from('"__proto__"'))],
  ['an end', encodeFrame(kinds.end, 1)],
  ["a file's end to a command", encodeMessage(1, { event: 'done' })],
  ['a frame that is too large', encodeFrame(kinds.data, 1, Buffer.alloc(200_000))],
])('%s ends the sandbox, and the command with it', async (_, frame) => {
  const { host, killed, send } = hostileAgent()
  const { result } = runCommand(host, trueCommand, { signal: never })
  send(frame, encodeMessage(1, { event: 'exited', exitCode: 0, signal: null }))
  expect(await result).toMatchObject({ exitCode: null, signal: 'SIGKILL' })
  expect(killed).toHaveLength(1)
})

test('more output than was agreed ends the sandbox; what is kept is bounded', async () => {
  const { host, killed, send } = hostileAgent()
  const { result } = runCommand(host, trueCommand, { signal: never })
  for (let i = 0; i < 4; i++) send(encodeFrame(kinds.data, 1, Buffer.alloc(65_536, 'x')))
  const { stdout, isTruncated } = await result
  expect([stdout.length, isTruncated]).toEqual([1_000, true])
  expect(killed).toEqual(['More output than the agent sends.'])
})

test('a file answer that is longer than was asked for ends the sandbox', async () => {
  const { host, killed, send } = hostileAgent()
  const reading = transferFiles(host, { action: 'read', path: '/workspace/x', bytesMax: 10 }).catch((error: Error) => error.message)
  await tick()
  send(encodeFrame(kinds.data, 1, Buffer.alloc(11)))
  expect(await reading).toMatch(/ended/)
  expect(killed).toEqual(['More than was asked for.'])
})

test('a listing that lies about its form is refused', async () => {
  for (const lines of ['[1,2,3]\n', '["x","device",1]\n', '{}\n', 'x\n', '["a","file",-1]\n']) {
    const { host, send } = hostileAgent()
    const listing = transferFiles(host, { action: 'list', path: '/workspace' }).catch((error: Error) => error.message)
    await tick()
    send(encodeFrame(kinds.data, 1, Buffer.from(lines)), encodeMessage(1, { event: 'done' }))
    expect(await listing, lines).toMatch(/listing/)
  }
})

test('whatever comes, the server neither throws nor hangs', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(
          fc.constantFrom(1, 2, 3, 4, 5),
          fc.nat(3),
          fc.oneof(
            fc.uint8Array({ maxLength: 100 }),
            fc.json().map((text) => Buffer.from(text)),
          ),
        ),
        { maxLength: 10 },
      ),
      async (frames) => {
        const { host, send } = hostileAgent()
        const { result, end } = runCommand(host, trueCommand, { signal: never })
        for (const [kind, id, payload] of frames) send(encodeFrame(kind as 1, id, payload))
        await tick()
        end('enough')
        host.kill('the test is over')
        await result.then(
          () => {},
          (error: Error) => expect(error.name).toBe('StepFailure'),
        )
      },
    ),
    { numRuns: 200 },
  )
})
