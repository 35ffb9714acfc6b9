/** Files that people send along with messages. Their bytes are of unknown origin: they are handed out to be saved, and never shown as what they say they are. */
import { createAttachment, deleteAttachment, getAttachment } from '@longhaul/protocol'
import type { AttachmentFile, Attachments } from '../agents/index.ts'
import type { Caller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { openedFile } from './files.ts'
import { type Implementation, audited, implement } from './implement.ts'
import { readBytes } from './input.ts'

export type AttachmentFiles = Pick<Attachments, 'create' | 'open'> & { bytesMax: number }

export const attachmentImplementations = (attachments: Pick<Attachments, 'create' | 'get' | 'delete'>): Implementation[] => [
  audited(
    implement(createAttachment, (caller, { name, namespace, base64 }) =>
      attachments.create(caller, { name, namespace, content: Buffer.from(base64, 'base64') }),
    ),
  ),
  implement(getAttachment, (caller, { attachmentId }) => attachments.get(caller, attachmentId)),
  audited(implement(deleteAttachment, (caller, { attachmentId }) => attachments.delete(caller, attachmentId))),
]

/** What of `attachments.create` is in the address when the body is the file. */
export const uploadFields = createAttachment.input.omit({ base64: true })

export async function takeUpload(
  files: AttachmentFiles,
  caller: Caller,
  fields: { name: string; namespace?: string | undefined },
  request: Request,
): Promise<Response> {
  const content = await readBytes(request, files.bytesMax).catch((error: unknown) => {
    if (!(error instanceof AppError) || error.code !== 'too_large') throw error
    throw new AppError('too_large', `The file ${fields.name} is too large: at most ${files.bytesMax} bytes are taken.`)
  })
  return Response.json(createAttachment.output.parse(await files.create(caller, { ...fields, content: Buffer.from(content) })))
}

export async function sendAttachment(files: Pick<AttachmentFiles, 'open'>, caller: Caller, attachmentId: string): Promise<Response> {
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(attachmentId)) throw new AppError('not_found', `No file ${attachmentId}.`)
  const file: AttachmentFile = await files.open(caller, attachmentId)
  return openedFile(file, attachmentId, { isShown: false })
}
