/** Folders of sandboxes as tar archives: bodies that are no JSON, as long as the sandbox has room. */
import { Readable } from 'node:stream'
import type { ReadableStream as NodeReadableStream } from 'node:stream/web'
import { AppError } from '../kernel/index.ts'
import type { SandboxCaller, SandboxService } from '../sandbox/index.ts'

export type TreeService = Pick<SandboxService, 'packTree' | 'unpackTree'>

const pathLengthMax = 4_096

export async function readTree(trees: TreeService, caller: SandboxCaller, sandboxId: string, path = '.'): Promise<Response> {
  const tree = await trees.packTree(caller, sandboxId, checked(path))
  tree.stream.on('close', tree.cancel) // Nobody reads it any more.
  const body = Readable.toWeb(Readable.from(untilWhole(tree))) as ReadableStream // Node's type of the same thing.
  return new Response(body, {
    headers: { 'content-type': 'application/x-tar', 'content-disposition': 'attachment; filename="workspace.tar"' },
  })
}

export async function writeTree(trees: TreeService, caller: SandboxCaller, sandboxId: string, path = '.', request: Request): Promise<Response> {
  if (!request.body) throw new AppError('invalid', 'The body must be a tar archive.')
  await trees.unpackTree(caller, sandboxId, checked(path), Readable.fromWeb(request.body as NodeReadableStream<Uint8Array>)) // Node's type of the same thing.
  return Response.json({ isDone: true })
}

/** An archive that breaks off must not look whole: the connection then breaks off, too. */
async function* untilWhole({ stream, done }: Awaited<ReturnType<TreeService['packTree']>>): AsyncGenerator<Uint8Array> {
  for await (const piece of stream as AsyncIterable<Uint8Array>) yield piece
  await done
}

function checked(path: string): string {
  if (path.length === 0 || path.length > pathLengthMax) throw new AppError('invalid', `path: must have 1 to ${pathLengthMax} characters.`)
  return path
}
