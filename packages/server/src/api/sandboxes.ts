import {
  type ExecRequest,
  createSandbox,
  deleteSnapshot,
  execInSandbox,
  forkSandbox,
  getSandbox,
  getSandboxStats,
  giveInput,
  killProcess,
  linkPort,
  listConnections,
  listFiles,
  listProcesses,
  listSandboxes,
  listSnapshots,
  readFile,
  readOutput,
  releaseSandbox,
  setSandboxEgress,
  snapshotSandbox,
  startProcess,
  stopSandbox,
  watchFiles,
  writeFiles,
} from '@longhaul/protocol'
import type { z } from 'zod'
import { type Log, wallClock } from '../kernel/index.ts'
import type { SandboxCaller, SandboxService } from '../sandbox/index.ts'
import { firstChanges, streamChanges } from './changes.ts'
import { type Implementation, implement } from './implement.ts'
import { numberOf } from './cursor.ts'
import { streamOutput } from './output-stream.ts'
import { type Links, previewPath } from './previews.ts'

export function sandboxImplementations({ sandboxes, links, log }: { sandboxes: SandboxService; links: Links; log: Log }): Implementation[] {
  return [
    implement(createSandbox, (caller, input) => sandboxes.create(caller, input)),
    implement(listSandboxes, (caller, input) => sandboxes.list(caller, input)),
    implement(getSandbox, (caller, { sandboxId }) => sandboxes.get(caller, sandboxId)),
    implement(execInSandbox, (caller, { sandboxId, ...command }) => sandboxes.exec(caller, sandboxId, toRequest(command))),
    implement(startProcess, (caller, { sandboxId, isInputOpen, ...command }) => sandboxes.start(caller, sandboxId, toRequest(command), isInputOpen)),
    implement(giveInput, (caller, { sandboxId, processId, base64, isEnd }) =>
      sandboxes.giveInput(caller, sandboxId, processId, Buffer.from(base64, 'base64'), isEnd),
    ),
    implement(listProcesses, async (caller, { sandboxId }) => ({ items: await sandboxes.processes(caller, sandboxId) })),
    implement(
      readOutput,
      (caller, { sandboxId, processId, after }) => sandboxes.readOutput(caller, sandboxId, processId, after),
      (caller, { sandboxId, processId, after: from }, { after, end }) =>
        streamOutput({
          read: (last) => sandboxes.readOutput(caller, sandboxId, processId, last),
          wait: (last, signal) => sandboxes.waitForOutput(caller, sandboxId, processId, last, signal),
          after: numberOf(after) ?? from,
          end,
          log,
        }),
    ),
    implement(killProcess, (caller, { sandboxId, processId }) => sandboxes.kill(caller, sandboxId, processId)),
    implement(writeFiles, async (caller, { sandboxId, files }) => only(await sandboxes.files(caller, sandboxId, { action: 'write', files }), 'write')),
    implement(readFile, async (caller, { sandboxId, path, bytesMax }) =>
      only(await sandboxes.files(caller, sandboxId, { action: 'read', path, bytesMax }), 'read'),
    ),
    implement(listFiles, async (caller, { sandboxId, path }) => only(await sandboxes.files(caller, sandboxId, { action: 'list', path }), 'list')),
    implement(
      watchFiles,
      (caller, { sandboxId, path, waitMs }) => firstChanges((options) => sandboxes.watch(caller, sandboxId, path, options), waitMs),
      (caller, { sandboxId, path }, { end }) => streamChanges((options) => sandboxes.watch(caller, sandboxId, path, options), { end, log }),
    ),
    implement(snapshotSandbox, (caller, { sandboxId, name }) => sandboxes.snapshot(caller, sandboxId, name)),
    implement(forkSandbox, (caller, { sandboxId, ...input }) => sandboxes.fork(caller, sandboxId, input)),
    implement(setSandboxEgress, (caller, { sandboxId, egress }) => sandboxes.setEgress(caller, sandboxId, egress)),
    implement(listConnections, (caller, { sandboxId, ...page }) => sandboxes.connections(caller, sandboxId, page)),
    implement(getSandboxStats, (caller, { sandboxId }) => sandboxes.stats(caller, sandboxId)),
    implement(linkPort, async (caller, { sandboxId, port, expiresInMs }) => {
      const { id } = await sandboxes.get(caller, sandboxId)
      const expiresAt = wallClock().getTime() + expiresInMs
      const link = links.sign({ tenantId: caller.tenantId, sandboxId: id, port, expiresAt })
      return { path: previewPath(link), expiresAt: new Date(expiresAt).toISOString() }
    }),
    implement(releaseSandbox, (caller, { sandboxId }) => sandboxes.release(caller, sandboxId)),
    implement(stopSandbox, (caller, { sandboxId }) => sandboxes.stop(caller, sandboxId)),
    implement(listSnapshots, (caller: SandboxCaller, page) => sandboxes.listSnapshots(caller, page)),
    implement(deleteSnapshot, (caller, { snapshotId }) => sandboxes.deleteSnapshot(caller, snapshotId)),
  ]
}

type Command = Omit<z.output<typeof execInSandbox.input>, 'sandboxId'>

/** The contract has seen to it that there is either a script or a program. */
function toRequest({ script, cmd = '', args = [], cwd, env, stdin, timeoutMs }: Command): ExecRequest {
  const shared = { timeoutMs, ...(cwd !== undefined && { cwd }), ...(env && { env }), ...(stdin !== undefined && { stdin }) }
  return script === undefined ? { cmd, args, ...shared } : { script, ...shared }
}

type FilesResult = Awaited<ReturnType<SandboxService['files']>>
function only<Action extends FilesResult['action']>(result: FilesResult, action: Action): Extract<FilesResult, { action: Action }> {
  if (result.action !== action) throw new Error(`A ${action} request was answered with ${result.action}.`)
  return result as Extract<FilesResult, { action: Action }> // As just checked.
}
