import { type SandboxInfo, type SandboxProcess, sandboxDrivers, sandboxStates } from '@longhaul/protocol'
import { followProcess, runCommand, watchFiles } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import { shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { type EgressOptions, envFrom, rulesFrom } from '../sandbox-options.ts'
import { printConnections } from '../show/connections.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, bytes, counted, duration } from '../show/values.ts'

type CreateOptions = EgressOptions & {
  name?: string
  use?: boolean
  snapshot?: string
  template?: string
  image?: string
  env?: string[]
  ttl?: number
  memory?: number
  disk?: number
  driver?: string
}

const kernelText = (kernel: SandboxInfo['kernel']): string => ({ shared: 'the host’s', own: 'its own', none: 'no' })[kernel]
const nameOf = ({ id, name }: { id: string; name: string | null }) => name ?? id
const idOf = ({ terminal }: Invocation, id: string) => (terminal.isLive ? shortId(id) : id)

export async function createSandbox(invocation: Invocation, options: CreateOptions): Promise<number> {
  const { name, use, snapshot, template, image, ttl, memory, disk } = options
  const driver = sandboxDrivers.find((each) => each === options.driver)
  if (options.driver !== undefined && !driver)
    throw new Problem('invalid', `There is no driver "${options.driver}".`, `There are: ${sandboxDrivers.join(', ')}`)
  const rules = await rulesFrom(invocation, options)
  const limits = { ...(memory !== undefined && { memoryBytesMax: memory * 1_000_000 }), ...(disk !== undefined && { diskBytesMax: disk * 1_000_000 }) }
  const client = await invocation.client()
  const made = await client.sandboxes.create({
    ...(name !== undefined && { name }),
    ifExists: use ? 'use' : 'fail',
    ...(snapshot !== undefined && { snapshot }),
    ...(template !== undefined && { template }),
    ...(image !== undefined && { image }),
    ...(driver && { driver }),
    ...(options.env && { env: envFrom(options.env) }),
    ...(rules && { egress: { rules } }),
    ...(ttl !== undefined && { ttlMs: ttl * 60_000 }),
    ...(Object.keys(limits).length > 0 && { limits }),
  })
  return showSandbox(invocation, made, `npx longhaul sandboxes exec ${nameOf(made)} -- ls -la`)
}

export async function listSandboxes(invocation: Invocation, { state, limit, cursor }: { state?: string; limit: number; cursor?: string }): Promise<number> {
  const known = sandboxStates.find((each) => each === state)
  if (state !== undefined && !known) throw new Problem('invalid', `There is no state "${state}".`, `There are: ${sandboxStates.join(', ')}`)
  const list = await (await invocation.client()).sandboxes.list({ limit, ...(known && { state: known }), ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((each) => [
      idOf(invocation, each.id),
      each.name,
      each.state,
      each.driver,
      kernelText(each.kernel),
      bytes(each.diskBytes),
      ago(each.usedAt),
      each.egress ? counted(each.egress.rules.length, 'rule') : 'closed',
    ])
    const columns = [
      { name: 'sandbox', isWhole: true },
      { name: 'name', isWhole: true },
      { name: 'state' },
      { name: 'driver' },
      { name: 'kernel' },
      { name: 'disk' },
      { name: 'used' },
      { name: 'network' },
    ]
    printList(invocation, columns, rows, ['No sandboxes yet. Make one:', 'npx longhaul sandboxes create --name work'])
  }
  return exitCodes.done
}

export async function getSandbox(invocation: Invocation, sandboxId: string): Promise<number> {
  return showSandbox(invocation, await (await invocation.client()).sandboxes.get({ sandboxId }))
}

type ExecOptions = { env?: string[]; cwd?: string; timeout: number; detach?: boolean; stdin?: boolean }

export async function execInSandbox(
  invocation: Invocation,
  sandboxId: string,
  command: string[],
  { env, cwd, timeout, detach, stdin }: ExecOptions,
): Promise<number> {
  const client = await invocation.client()
  const [cmd = '', ...args] = command
  const request = {
    sandboxId,
    // One word with blanks in it is a line for the shell, as it would be for ssh.
    ...(command.length === 1 && /\s/.test(cmd) ? { script: cmd } : { cmd, args }),
    ...(env && { env: envFrom(env) }),
    ...(cwd !== undefined && { cwd }),
    ...(stdin && detach && { stdin: await invocation.world.readStdin() }),
    timeoutMs: timeout * 1_000,
  }
  if (detach) {
    const process = await client.sandboxes.start(request)
    if (invocation.isJson) invocation.printJson(process)
    else invocation.terminal.print(`  ${process.id} runs. Its output: npx longhaul sandboxes logs ${sandboxId} ${shortId(process.id)} --follow`)
    return exitCodes.done
  }
  const { stdout, stderr, interrupted } = invocation.world
  const input = stdin ? invocation.world.stdin : undefined
  const process = await runCommand(client, request, {
    signal: interrupted,
    ...(input && { input }),
    onOutput: (piece) => (invocation.isJson ? invocation.printJson(piece) : void (piece.stream === 'stdout' ? stdout : stderr).write(piece.text)),
  })
  if (input && 'destroy' in input && typeof input.destroy === 'function') input.destroy() // The command has ended: a read of more would keep us here.
  if (invocation.isJson) invocation.printJson(process)
  else if (process.message) stderr.write(`${process.message}\n`)
  return process.exitCode ?? (process.state === 'failed' ? exitCodes.failed : 137)
}

export async function listProcesses(invocation: Invocation, sandboxId: string): Promise<number> {
  const list = await (await invocation.client()).sandboxes.processes({ sandboxId })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((each) => [idOf(invocation, each.id), each.state, each.exitCode, ago(each.startedAt), each.command])
    printList(
      invocation,
      [{ name: 'process', isWhole: true }, { name: 'state' }, { name: 'exit', isNumber: true }, { name: 'started' }, { name: 'command' }],
      rows,
      ['Nothing was started in it since the server started.'],
    )
  }
  return exitCodes.done
}

export async function showLogs(invocation: Invocation, sandboxId: string, given: string, { follow }: { follow?: boolean }): Promise<number> {
  const client = await invocation.client()
  const process = await findProcess(invocation, sandboxId, given)
  const { stdout, stderr } = invocation.world
  const show = (piece: { stream: 'stdout' | 'stderr'; text: string }) =>
    invocation.isJson ? invocation.printJson(piece) : void (piece.stream === 'stdout' ? stdout : stderr).write(piece.text)
  if (follow) {
    for await (const piece of followProcess(client, process, { signal: invocation.world.interrupted })) {
      if ('seq' in piece) show(piece)
      else stderr.write(`… ${counted(piece.dropped, 'piece')} of output are no longer kept …\n`)
    }
    return exitCodes.done
  }
  const { items, droppedCount } = await client.sandboxes.output({ sandboxId, processId: process.id })
  if (droppedCount > 0) stderr.write(`… ${counted(droppedCount, 'piece')} of output are no longer kept …\n`)
  for (const piece of items) show(piece)
  return exitCodes.done
}

export async function killProcess(invocation: Invocation, sandboxId: string, given: string): Promise<number> {
  const client = await invocation.client()
  const { id: processId } = await findProcess(invocation, sandboxId, given)
  const killed = await client.sandboxes.kill({ sandboxId, processId })
  if (invocation.isJson) invocation.printJson(killed)
  else invocation.terminal.print(`  ${killed.id} ${killed.state}.`)
  return exitCodes.done
}

async function findProcess(invocation: Invocation, sandboxId: string, given: string): Promise<SandboxProcess> {
  const { items } = await (await invocation.client()).sandboxes.processes({ sandboxId })
  const matching = items.filter(({ id }) => id === given || (given.length >= 4 && id.endsWith(given)))
  if (matching.length > 1)
    throw new Problem('invalid', `Several processes end in "${given}".`, `npx longhaul sandboxes ps ${sandboxId} --json shows whole ids.`)
  if (!matching[0]) throw new Problem('not_found', `No process "${given}".`, `npx longhaul sandboxes ps ${sandboxId}`)
  return matching[0]
}

export async function listFiles(invocation: Invocation, place: string): Promise<number> {
  const [sandboxId, path] = splitPlace(place)
  const list = await (await invocation.client()).sandboxes.files({ sandboxId, path })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.entries.map((each) => [each.type === 'directory' ? `${each.name}/` : each.name, each.type === 'file' ? bytes(each.bytes) : null])
    printList(invocation, [{ name: 'name', isWhole: true }, { name: 'size' }], rows, ['The folder is empty.'])
  }
  return exitCodes.done
}

export { copyFiles } from './sandbox-files.ts'

export async function snapshotSandbox(invocation: Invocation, sandboxId: string, { name }: { name?: string }): Promise<number> {
  const snapshot = await (await invocation.client()).sandboxes.snapshot({ sandboxId, ...(name !== undefined && { name }) })
  if (invocation.isJson) invocation.printJson(snapshot)
  else {
    printFields(invocation, [
      ['snapshot', snapshot.id],
      ['name', snapshot.name],
      ['size', bytes(snapshot.bytes)],
    ])
    invocation.terminal.print(`  npx longhaul sandboxes create --snapshot ${nameOf(snapshot)}`, '')
  }
  return exitCodes.done
}

export async function listSnapshots(invocation: Invocation, options: { delete?: string }): Promise<number> {
  const client = await invocation.client()
  if (options.delete !== undefined) {
    const deleted = await client.snapshots.delete({ snapshotId: options.delete })
    if (invocation.isJson) invocation.printJson(deleted)
    else invocation.terminal.print(`  Snapshot ${nameOf(deleted)} is deleted.`)
    return exitCodes.done
  }
  const list = await client.snapshots.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((each) => [idOf(invocation, each.id), each.name, bytes(each.bytes), ago(each.createdAt)])
    printList(invocation, [{ name: 'snapshot', isWhole: true }, { name: 'name', isWhole: true }, { name: 'size' }, { name: 'made' }], rows, ['No snapshots.'])
  }
  return exitCodes.done
}

export async function forkSandbox(invocation: Invocation, sandboxId: string, { name }: { name?: string }): Promise<number> {
  return showSandbox(invocation, await (await invocation.client()).sandboxes.fork({ sandboxId, ...(name !== undefined && { name }) }))
}

export async function setEgress(invocation: Invocation, sandboxId: string, options: EgressOptions & { none?: boolean }): Promise<number> {
  const rules = await rulesFrom(invocation, options)
  if (!rules && !options.none) throw new Problem('invalid', 'Say what may leave.', 'Give --allow with a host, or --none to close every way out.')
  return showSandbox(invocation, await (await invocation.client()).sandboxes.egress({ sandboxId, egress: rules ? { rules } : null }))
}

export async function listConnections(invocation: Invocation, sandboxId: string, { limit }: { limit: number }): Promise<number> {
  return printConnections(invocation, await (await invocation.client()).sandboxes.connections({ sandboxId, limit }))
}

export async function watchFolder(invocation: Invocation, place: string): Promise<number> {
  const [sandboxId, path] = splitPlace(place)
  const { interrupted, stderr } = invocation.world
  const changes = watchFiles(
    await invocation.client(),
    { sandboxId, path },
    { signal: interrupted, onReady: () => void stderr.write('Watching; Ctrl-C ends it.\n') },
  )
  for await (const each of changes) {
    if (invocation.isJson) {
      invocation.printJson(each)
      continue
    }
    for (const item of each.items) invocation.terminal.print(`${item.change.padEnd(8)} ${item.path}`)
    if (each.isPartial) stderr.write('… and more than could be told …\n')
  }
  return exitCodes.done
}

function splitPlace(place: string): [sandboxId: string, path: string] {
  const at = place.indexOf(':')
  return at < 0 ? [place, '.'] : [place.slice(0, at), place.slice(at + 1) || '.']
}

export async function linkPort(invocation: Invocation, sandboxId: string, port: number, { minutes }: { minutes: number }): Promise<number> {
  const client = await invocation.client()
  const link = await client.sandboxes.link({ sandboxId, port, expiresInMs: minutes * 60_000 })
  const url = new URL(link.path, client.url).href
  if (invocation.isJson) invocation.printJson({ ...link, url })
  else invocation.terminal.print(url)
  return exitCodes.done
}

export async function releaseSandbox(invocation: Invocation, sandboxId: string): Promise<number> {
  const released = await (await invocation.client()).sandboxes.release({ sandboxId })
  if (invocation.isJson) invocation.printJson(released)
  else invocation.terminal.print(`  Sandbox ${nameOf(released)} is put away. The next use brings it back.`)
  return exitCodes.done
}

export async function stopSandbox(invocation: Invocation, sandboxId: string): Promise<number> {
  const stopped = await (await invocation.client()).sandboxes.stop({ sandboxId })
  if (invocation.isJson) invocation.printJson(stopped)
  else invocation.terminal.print(`  Sandbox ${nameOf(stopped)} is stopped and its workspace deleted.`)
  return exitCodes.done
}

function showSandbox(invocation: Invocation, sandbox: SandboxInfo, next?: string): number {
  if (invocation.isJson) {
    invocation.printJson(sandbox)
    return exitCodes.done
  }
  const { limits, egress } = sandbox
  printFields(invocation, [
    ['sandbox', sandbox.id],
    ['name', sandbox.name],
    ['state', sandbox.state],
    ['driver', `${sandbox.driver} · ${kernelText(sandbox.kernel)} kernel`],
    ['image', sandbox.image],
    ['limits', `${bytes(limits.memoryBytesMax)} memory · ${bytes(limits.diskBytesMax)} disk · ${counted(limits.processCountMax, 'process', 'processes')}`],
    ['not enforced', sandbox.notEnforced.join(', ')],
    ['network', egress ? egress.rules.map(ruleText).join('\n') || 'closed' : 'closed'],
    ['ends', `when not used for ${duration(sandbox.ttlMs)}`],
  ])
  if (next !== undefined) invocation.terminal.print(`  ${next}`, '')
  return exitCodes.done
}

const ruleText = ({ host, port, methods, paths, credential }: NonNullable<SandboxInfo['egress']>['rules'][number]): string =>
  [
    `${host}${port === undefined ? '' : `:${port}`}`,
    ...(methods ? [methods.join(',')] : []),
    ...(paths ?? []),
    ...(credential ? [`with ${credential.header}${credential.isKnown ? '' : ' (forgotten at a restart: set it again)'}`] : []),
  ].join(' · ')
