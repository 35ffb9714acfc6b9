/** Files for messages: their bytes travel as they are, and not in JSON. */
import type { Attachment } from '@longhaul/protocol'
import type { Client } from './client.ts'
import type { CallOptions } from './contract.ts'

export type Upload = {
  /** As it is to be called: the last part of a path. What kind of file it is the server reads from the bytes. */
  name: string
  content: Uint8Array<ArrayBuffer>
  /** That of the run. Absent: the key's first namespace, or `default`. */
  namespace?: string | undefined
}

/** Sends a file, to be named by its id in `attachments` of `runs.start`. Throws an `ApiError`: `too_large`, `over_limit`, `not_found` for a namespace that is not the caller's. */
export async function uploadAttachment(
  client: Pick<Client, 'request'>,
  { name, content, namespace }: Upload,
  { signal }: CallOptions = {},
): Promise<Attachment> {
  const response = await client.request(uploadPath({ name, namespace }), {
    method: 'POST',
    headers: { 'content-type': 'application/octet-stream' },
    body: content,
    signal,
  })
  return (await response.json()) as Attachment // As the operation's contract has it.
}

/** The bytes of a file of a message. Throws an `ApiError` `not_found` for one that is not the caller's to read. */
export async function downloadAttachment(
  client: Pick<Client, 'request'>,
  attachmentId: string,
  { signal }: CallOptions = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const response = await client.request(`/v1/attachments/${encodeURIComponent(attachmentId)}/content`, { signal })
  return new Uint8Array(await response.arrayBuffer())
}

/** Where a file is sent to. */
export const uploadPath = ({ name, namespace }: Pick<Upload, 'name' | 'namespace'>): string =>
  `/v1/attachments?${new URLSearchParams({ name, ...(namespace !== undefined && { namespace }) })}`
