/** Files that people send along with a message: kept once, named by reference wherever the message goes. */
import { z } from 'zod'
import { operation } from './operation.ts'
import { Name } from './values.ts'

/** Of one file, where it is sent as JSON. Its bytes alone, as `application/octet-stream`, can be as many as the server is set to. */
const jsonBodyBytesMax = 40_000_000

/** As it is recorded in the input of a run: what it is, and never what is in it. `name` is its name in this conversation: no other file there has it. */
export const AttachmentRef = z.object({
  id: z.uuid(),
  name: z.string().min(1).max(200),
  mediaType: z.string().max(100),
  bytes: z.number().int().min(0),
  /** SHA-256 of its bytes, in hexadecimal. */
  digest: z.string().max(64),
})
export type AttachmentRef = z.infer<typeof AttachmentRef>

/** `mediaType` is what the bytes say, whatever the sender said. `uploadedBy` is the id of the key or person. */
export const Attachment = AttachmentRef.extend({
  namespace: z.string(),
  uploadedBy: z.string(),
  createdAt: z.iso.datetime(),
  /** When it is deleted if no message has it until then; null: a message has it, and it is kept as long as the run. */
  expiresAt: z.iso.datetime().nullable(),
})
export type Attachment = z.infer<typeof Attachment>

const attachmentId = z.uuid()

export const createAttachment = operation({
  id: 'attachments.create',
  summary:
    'Send a file, to be named in a message. With the content type application/octet-stream the body is the file itself, and the other fields are in the address. It is deleted after a day unless a message has it.',
  http: ['POST', '/v1/attachments'],
  permission: 'runs:write',
  bodyBytesMax: jsonBodyBytesMax,
  input: z.strictObject({
    name: z.string().min(1).max(1_000),
    /** That of the run that will have it. Absent: the key's first namespace, or `default`. */
    namespace: Name.optional(),
    base64: z.base64().max(jsonBodyBytesMax),
  }),
  output: Attachment,
})
export const getAttachment = operation({
  id: 'attachments.get',
  summary: 'What is known of a file: for whoever sent it, and whoever may read a run that has it. Its bytes are at `/content`.',
  http: ['GET', '/v1/attachments/{attachmentId}'],
  permission: 'runs:read',
  input: z.strictObject({ attachmentId }),
  output: Attachment,
})
export const deleteAttachment = operation({
  id: 'attachments.delete',
  summary: 'Take back a file that no message has. Only whoever sent it can.',
  http: ['DELETE', '/v1/attachments/{attachmentId}'],
  permission: 'runs:write',
  input: z.strictObject({ attachmentId }),
  output: z.object({ id: z.uuid() }),
})

export const attachmentOperations = [createAttachment, getAttachment, deleteAttachment]
