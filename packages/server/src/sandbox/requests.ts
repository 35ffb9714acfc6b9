import type { ExecRequest, FilesRequest } from '@longhaul/protocol'
import { failure } from './failures.ts'
import { commandBytesMax, transferBytesMax } from './limits.ts'
import { insideWorkspace } from './paths.ts'

/** Refuses what no driver could start, or what would cost more to pass on than a command may. */
export function checkCommand(request: ExecRequest): void {
  const strings = 'script' in request ? [request.script] : [request.cmd, ...request.args]
  const environment = Object.entries(request.env ?? {})
  for (const [name] of environment) {
    if (name === '' || name.includes('=')) throw failure('invalid', `${JSON.stringify(name)} cannot be the name of an environment variable.`)
  }
  const all = [...strings, ...environment.flat(), request.cwd ?? '']
  if (all.some((text) => text.includes('\0'))) throw failure('invalid', 'A command, its arguments, environment and folder cannot hold U+0000.')
  const bytes = [...all, request.stdin ?? ''].reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  if (bytes > commandBytesMax)
    throw failure('over_limit', `The command with its arguments, environment and input has ${bytes} bytes; ${commandBytesMax} are allowed.`)
}

export type CheckedFilesRequest =
  | { action: 'write'; files: { path: string; bytes: Buffer }[]; bytes: number }
  | { action: 'read'; path: string; bytesMax: number }
  | { action: 'list'; path: string }

/** Paths inside the workspace, contents decoded, sizes bounded. */
export function checkFiles(request: FilesRequest): CheckedFilesRequest {
  switch (request.action) {
    case 'write': {
      const files = request.files.map(({ path, base64 }) => ({ path: insideWorkspace(path), bytes: Buffer.from(base64, 'base64') }))
      const bytes = files.reduce((sum, file) => sum + file.bytes.length, 0)
      if (bytes > transferBytesMax) throw failure('over_limit', `The files have ${bytes} bytes together; ${transferBytesMax} are allowed in one request.`)
      return { action: 'write', files, bytes }
    }
    case 'read':
      return { action: 'read', path: insideWorkspace(request.path), bytesMax: Math.min(request.bytesMax, transferBytesMax) }
    case 'list':
      return { action: 'list', path: insideWorkspace(request.path) }
  }
}

/** A command's stderr with what the sandbox has to say about it. */
export function withNotes(stderr: string, notes: readonly string[]): string {
  if (notes.length === 0) return stderr
  const separator = stderr === '' || stderr.endsWith('\n') ? '' : '\n'
  return `${stderr}${separator}${notes.map((note) => `sandbox: ${note}\n`).join('')}`
}
