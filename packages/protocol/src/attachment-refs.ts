/** Files of a message, read out of its run's input. Needs no schemas. */
import type { AttachmentRef } from './attachments.ts'
import type { Json } from './json.ts'

/** How many a message can have at most; a server may be set to fewer. */
export const attachmentsMax = 100

/** Those of a run's input, which is an object that has its words under `message`. Anything else under `attachments` is none of ours. */
export function attachmentsOf(input: Json): AttachmentRef[] {
  const given = typeof input === 'object' && input !== null && !Array.isArray(input) ? input['attachments'] : undefined
  return Array.isArray(given) ? given.slice(0, attachmentsMax).flatMap(toRef) : []
}

function toRef(item: Json): AttachmentRef[] {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return []
  const { id, name, mediaType, bytes, digest } = item
  const isRef =
    typeof id === 'string' &&
    /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id) &&
    [name, mediaType, digest].every((text) => typeof text === 'string' && text !== '' && text.length <= 200) &&
    Number.isSafeInteger(bytes) &&
    Number(bytes) >= 0
  return isRef ? [{ id, name, mediaType, bytes, digest } as AttachmentRef] : [] // As it was just looked at.
}

/** Where it lies in the sandbox of the conversation. */
export const attachmentPath = ({ name }: Pick<AttachmentRef, 'name'>): string => `attachments/${name}`
