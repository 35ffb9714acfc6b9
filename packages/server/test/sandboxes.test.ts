/** Sandboxes with nothing but a key: the real server, the client, and a server that is killed in the middle. */
import { mkdtempSync, readFileSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient, downloadTree, followProcess, runCommand, uploadTree } from '@longhaul/sdk/client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type TestDatabase, makeDatabase } from './support/postgres.ts'
import { usableModes } from './support/sandbox-modes.ts'
import { type ServerProcess, openServerProcess } from './support/server-process.ts'

const isReal = usableModes().length > 0
let database: TestDatabase
let server: ServerProcess
beforeAll(async () => {
  database = await makeDatabase()
  server = await openServerProcess({
    env: {
      LONGHAUL_DATABASE_URL: database.url,
      LONGHAUL_AGENTS_DIR: mkdtempSync(join(tmpdir(), 'longhaul-no-agents-')),
      LONGHAUL_SANDBOX_DRIVER: 'bwrap',
      LONGHAUL_SANDBOX_POOL: '1',
    },
  })
  await server.start()
})
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await database[Symbol.asyncDispose]()
})

test.skipIf(!isReal)('a program makes a sandbox, follows what runs in it, and copies folders in and out', async () => {
  const { client } = server
  const { id: sandboxId } = await client.sandboxes.create({ name: 'program' })
  const heard: string[] = []
  const ended = await runCommand(
    client,
    { sandboxId, script: 'for i in 1 2 3; do echo $i; sleep 0.05; done; echo oh >&2; exit 4' },
    { onOutput: ({ stream, text }) => heard.push(`${stream}:${text.trim()}`) },
  )
  expect(ended).toMatchObject({ state: 'exited', exitCode: 4 })
  expect(heard.join(' ').replaceAll('\n', ' stdout:')).toBe('stdout:1 stdout:2 stdout:3 stderr:oh')
  expect(await client.sandboxes.exec({ sandboxId, cmd: 'cat', stdin: 'given', env: { A: 'b' } })).toMatchObject({ stdout: 'given', exitCode: 0 })
  await expect(client.sandboxes.exec({ sandboxId })).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('either script, or cmd') })
  await expect(client.sandboxes.exec({ sandboxId, script: 'x', cmd: 'y' })).rejects.toMatchObject({ code: 'invalid' })

  await client.sandboxes.exec({ sandboxId, script: 'mkdir -p tree/in && head -c 2M /dev/urandom > tree/in/big && sha256sum < tree/in/big > tree/sum' })
  const archive = await downloadTree(client, sandboxId, 'tree')
  await uploadTree(client, sandboxId, 'copy', archive) // From one into the other, without being held.
  expect(await client.sandboxes.exec({ sandboxId, script: 'sha256sum < copy/in/big | cmp - copy/sum && echo same' })).toMatchObject({ stdout: 'same\n' })
  const missing = await downloadTree(client, sandboxId, 'nowhere')
    .then((stream) => new Response(stream).arrayBuffer())
    .then(
      () => 'whole',
      () => 'broke off',
    )
  expect(missing).toBe('broke off')

  const process = await client.sandboxes.start({ sandboxId, script: 'seq 5; sleep 600' })
  const stop = new AbortController()
  let text = ''
  await expect(
    (async () => {
      for await (const piece of followProcess(client, process, { signal: stop.signal })) {
        text += 'seq' in piece ? piece.text : ''
        if (text.endsWith('5\n')) stop.abort(new Error('enough'))
      }
    })(),
  ).rejects.toThrow('enough')
  expect(await client.sandboxes.kill({ sandboxId, processId: process.id })).toMatchObject({ state: 'killed' })
  const rest = []
  for await (const piece of followProcess(client, process, { after: 0 })) rest.push(piece)
  expect(rest.every((piece) => 'seq' in piece && piece.seq > 0)).toBe(true)
})

test.skipIf(!isReal)('a key needs the permission, and a key with another is refused', async () => {
  const { secret } = await server.client.keys.create({ name: 'reader', permissions: ['sandboxes:read'] })
  const reader = createClient({ url: server.url(), key: secret })
  const { id: sandboxId } = await server.client.sandboxes.create()
  expect(await reader.sandboxes.get({ sandboxId })).toMatchObject({ id: sandboxId })
  for (const attempt of [
    () => reader.sandboxes.exec({ sandboxId, script: 'true' }),
    () => reader.sandboxes.create(),
    () => reader.sandboxes.stop({ sandboxId }),
    () => uploadTree(reader, sandboxId, '.', new Uint8Array(1_024)),
  ])
    await expect(attempt()).rejects.toMatchObject({ code: 'forbidden' })
  const none = createClient({ url: server.url(), key: (await server.client.keys.create({ name: 'none', permissions: ['runs:read'] })).secret })
  await expect(downloadTree(none, sandboxId)).rejects.toMatchObject({ code: 'forbidden' })
})

/** Processes anywhere on this host whose command line has `mark` in it. */
const processesWith = (mark: string): number =>
  readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false
    try {
      return readFileSync(`/proc/${name}/cmdline`, 'utf8').includes(mark)
    } catch {
      return false // It ended while we looked.
    }
  }).length

test.skipIf(!isReal)('after SIGKILL of the server no process of any sandbox runs on, and the next one has the files', async () => {
  const mark = `mark-${process.pid}`
  const { id: sandboxId } = await server.client.sandboxes.create({ name: 'survivor' })
  await server.client.sandboxes.start({ sandboxId, script: `echo kept > note; (setsid sh -c 'sleep 601; :' ${mark} &); sh -c 'sleep 600; :' ${mark}` })
  const until = async (isTrue: () => boolean) => {
    const end = performance.now() + 15_000
    while (!isTrue()) {
      if (performance.now() > end) throw new Error('It did not come true.')
      await new Promise((done) => setTimeout(done, 20))
    }
  }
  await until(() => processesWith(mark) >= 2)
  await server.stop('SIGKILL')
  await until(() => processesWith(mark) === 0)
  await server.start()
  expect(await server.client.sandboxes.get({ sandboxId: 'survivor' })).toMatchObject({ id: sandboxId, state: 'active' })
  expect(await server.client.sandboxes.processes({ sandboxId })).toEqual({ items: [] })
  expect(await server.client.sandboxes.exec({ sandboxId, script: 'cat note; pgrep -c sleep' })).toMatchObject({ stdout: 'kept\n0\n' })
})
