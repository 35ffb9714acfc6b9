import type { Attachment, ErrorCode } from '@longhaul/protocol'
import { ApiError, downloadAttachment, uploadPath } from '@longhaul/sdk/client'
import { queryOptions } from '@tanstack/react-query'
import { client } from './client.ts'
import { readKey } from './key.ts'
import { readMe } from './login.ts'

/** Sends a file, and says how far it is: `fetch` would not. Rejects with an `ApiError`. */
export function upload(file: File, onProgress: (share: number) => void, signal: AbortSignal): Promise<Attachment> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open('POST', uploadPath({ name: file.name }))
    request.responseType = 'json'
    request.setRequestHeader('content-type', 'application/octet-stream')
    const key = readKey()
    const csrfToken = readMe()?.csrfToken
    if (key !== null) request.setRequestHeader('authorization', `Bearer ${key}`)
    else if (csrfToken) request.setRequestHeader('x-csrf-token', csrfToken)
    request.upload.addEventListener('progress', ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0))
    request.addEventListener('load', () => {
      if (request.status === 200) return resolve(request.response as Attachment) // As the operation's contract has it.
      const error = (request.response as { error?: { code: ErrorCode; message: string } } | null)?.error // As every refusal of the API is.
      reject(new ApiError(error?.code ?? 'internal', error?.message ?? `The server answered ${request.status}.`, { status: request.status }))
    })
    request.addEventListener('error', () => reject(new ApiError('unavailable', 'The connection was cut.')))
    request.addEventListener('abort', () => reject(signal.reason))
    signal.addEventListener('abort', () => request.abort(), { once: true })
    request.send(file)
  })
}

export const attachmentQuery = (id: string, mediaType: string) =>
  queryOptions({
    queryKey: ['attachments', id],
    queryFn: async ({ signal }) => new Blob([await downloadAttachment(client, id, { signal })], { type: mediaType }),
    staleTime: Number.POSITIVE_INFINITY,
  })

/** Kinds that are shown: as pictures from memory they can do nothing. */
export const isPicture = (mediaType: string): boolean => /^image\/(png|jpeg|webp|gif)$/.test(mediaType)
