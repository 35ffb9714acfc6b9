import { sandboxStates } from '@longhaul/protocol/plain'
import type { SandboxProcess } from '@longhaul/protocol'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import { downloadTree, followProcess, uploadTree } from '@longhaul/sdk/client'
import { client } from './client.ts'
import { makeTar } from './tar.ts'

const page = 25

export const sandboxesQuery = (state: string | undefined, cursor?: string) => {
  const known = sandboxStates.find((each) => each === state)
  return queryOptions({
    queryKey: ['sandboxes', 'list', { known, cursor }],
    queryFn: ({ signal }) => client.sandboxes.list({ limit: page, ...(known && { state: known }), ...(cursor && { cursor }) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })
}

export const sandboxQuery = (sandboxId: string) =>
  queryOptions({ queryKey: ['sandboxes', 'one', sandboxId], queryFn: ({ signal }) => client.sandboxes.get({ sandboxId }, { signal }), refetchInterval: 5_000 })

export const statsQuery = (sandboxId: string) =>
  queryOptions({
    queryKey: ['sandboxes', 'stats', sandboxId],
    queryFn: ({ signal }) => client.sandboxes.stats({ sandboxId }, { signal }),
    refetchInterval: 5_000,
  })

export const processesQuery = (sandboxId: string) =>
  queryOptions({
    queryKey: ['sandboxes', 'processes', sandboxId],
    queryFn: ({ signal }) => client.sandboxes.processes({ sandboxId }, { signal }),
    refetchInterval: ({ state: { data } }) => (data?.items.some(({ state }) => state === 'running') ? 2_000 : 10_000),
  })

export const folderQuery = (sandboxId: string, path: string) =>
  queryOptions({
    queryKey: ['sandboxes', 'files', sandboxId, path],
    queryFn: ({ signal }) => client.sandboxes.files({ sandboxId, path }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 10_000,
  })

/** What is shown of a file. */
export const previewBytesMax = 200_000
export const previewQuery = (sandboxId: string, path: string) =>
  queryOptions({
    queryKey: ['sandboxes', 'content', sandboxId, path],
    queryFn: ({ signal }) => client.sandboxes.read({ sandboxId, path, bytesMax: previewBytesMax }, { signal }),
  })

export const connectionsQuery = (sandboxId: string, cursor?: string) =>
  queryOptions({
    queryKey: ['sandboxes', 'connections', sandboxId, cursor],
    queryFn: ({ signal }) => client.sandboxes.connections({ sandboxId, limit: page, ...(cursor && { cursor }) }, { signal }),
    placeholderData: keepPreviousData,
    refetchInterval: 5_000,
  })

export const snapshotsQuery = (cursor?: string) =>
  queryOptions({
    queryKey: ['snapshots', cursor],
    queryFn: ({ signal }) => client.snapshots.list({ limit: page, ...(cursor && { cursor }) }, { signal }),
    placeholderData: keepPreviousData,
  })

export const fromBase64 = (base64: string): Uint8Array<ArrayBuffer> => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))

/** The most that is read of one file at once. Longer ones come with their folder. */
export const fileBytesMax = 8_000_000
export async function readWholeFile(sandboxId: string, path: string): Promise<Blob> {
  const { base64 } = await client.sandboxes.read({ sandboxId, path, bytesMax: fileBytesMax })
  return new Blob([fromBase64(base64)])
}

export async function readFolder(sandboxId: string, path: string): Promise<Blob> {
  return new Response(await downloadTree(client, sandboxId, path)).blob()
}

/** As one archive: it is laid out as a whole, and files may be larger than a request of the API. */
export async function uploadFiles(sandboxId: string, path: string, files: readonly File[]): Promise<void> {
  const contents = await Promise.all(
    files.map(async (file) => ({ name: file.name, bytes: new Uint8Array(await file.arrayBuffer()), modifiedAt: file.lastModified })),
  )
  await uploadTree(client, sandboxId, path, makeTar(contents))
}

export const follow = (process: Pick<SandboxProcess, 'id' | 'sandboxId'>, signal: AbortSignal) =>
  followProcess(client, process, { signal, giveUpAfterMs: Number.POSITIVE_INFINITY })
