/** A process that owns one sandbox driver and does what its parent asks: so that tests can be another user, and can kill it. */
import { silentLog, StepFailure } from '../../src/kernel/index.ts'
import { bwrapDriver } from '../../src/sandbox/drivers/bwrap/bwrap.ts'
import { gvisorDriver } from '../../src/sandbox/drivers/gvisor/gvisor.ts'
import type { CreateOptions, ImageRoot, Sandbox } from '../../src/sandbox/driver.ts'
import { claimRoot } from '../../src/sandbox/root.ts'
import type { ExecRequest, FilesRequest } from '@longhaul/protocol'

export type ServerSettings = {
  root: string
  driver: 'bwrap' | 'gvisor'
  withoutCgroups: boolean
  withoutDisks?: boolean
  idleMs?: number
  orphanAgeMs?: number
  poolSize?: number
  ownRoot?: ImageRoot
}
/** As they come to another process. */
export type PlainOptions = Omit<CreateOptions, 'image'> & { image?: ImageRoot }
export type Call =
  | { do: 'probe' }
  | { do: 'sweep' }
  | { do: 'stopAll' }
  | { do: 'create'; options: PlainOptions }
  | { do: 'exec'; id: string; request: ExecRequest }
  | { do: 'files'; id: string; request: FilesRequest }
  | { do: 'about'; id: string }
  | { do: 'stop' | 'destroy' | 'stats'; id: string }
  | { do: 'fork'; id: string; to: string; how: 'archive' | 'copy' }
  | { do: 'measure' }
export type Request = { number: number; call: Call } | { abort: number }
export type Reply = { number: number } & (
  | { output: [stream: 'stdout' | 'stderr', text: string] }
  | { result: unknown }
  | { failure: { message: string; code?: string; retryable: boolean } }
)

const heldOf = (root: ImageRoot | undefined): CreateOptions['image'] => root && (async () => ({ root, release() {} }))

const settings = JSON.parse(process.argv[2] ?? '{}') as ServerSettings
const options = { ...settings, ownRoot: heldOf(settings.ownRoot), root: claimRoot(settings.root), log: silentLog }
const driver = settings.driver === 'gvisor' ? gvisorDriver(options) : bwrapDriver(options)
const sandboxes = new Map<string, Sandbox>()
const aborts = new Map<number, AbortController>()

async function perform(number: number, call: Call): Promise<unknown> {
  switch (call.do) {
    case 'probe':
      return driver.probe()
    case 'sweep':
      await driver.sweep()
      return driver.warm?.()
    case 'stopAll':
      return driver.stop()
    case 'create':
      sandboxes.set(call.options.id, await driver.create({ ...call.options, image: heldOf(call.options.image) }))
      return undefined
    case 'measure':
      return {
        memoryBytes: process.memoryUsage().rss,
        resources: process.getActiveResourcesInfo().length,
        descriptors: (await import('node:fs')).readdirSync('/proc/self/fd').length,
      }
  }
  const sandbox = sandboxes.get(call.id)
  if (!sandbox) throw new Error(`No sandbox ${call.id}.`)
  if (call.do === 'exec') {
    const abort = new AbortController()
    aborts.set(number, abort)
    return sandbox
      .exec(call.request, { signal: abort.signal, onOutput: (stream, text) => send({ number, output: [stream, text] }) })
      .finally(() => aborts.delete(number))
  }
  if (call.do === 'about') return sandbox.lacks ? { lacks: sandbox.lacks } : {}
  if (call.do === 'fork') {
    const target = sandboxes.get(call.to)
    if (call.how === 'copy' && sandbox.trees) return target?.trees?.copyFrom(sandbox.trees)
    const tree = await sandbox.trees?.pack('/workspace', true)
    if (!tree || !target?.trees) throw new Error('This driver has no archives.')
    await target.trees.unpack('/workspace', tree.stream)
    return tree.done
  }
  return call.do === 'files' ? sandbox.files(call.request) : sandbox[call.do]()
}

const send = (reply: Reply) => process.send?.(reply)

process.on('message', (request: Request) => {
  if ('abort' in request) return aborts.get(request.abort)?.abort()
  const { number, call } = request
  perform(number, call).then(
    (result) => send({ number, result }),
    (error: unknown) => {
      const failure = error instanceof StepFailure ? error.failure : { message: String(error), retryable: false }
      send({ number, failure: { message: failure.message, retryable: failure.retryable, ...(failure.code !== undefined && { code: failure.code }) } })
    },
  )
})
process.on('disconnect', () => process.exit(0))
