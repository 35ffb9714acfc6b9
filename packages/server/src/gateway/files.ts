/** What a model is given of the files that came along with a message: those of a kind that it takes as they are, and of each one where it lies. */
import type { LanguageModelV4FilePart, LanguageModelV4TextPart } from '@ai-sdk/provider'
import { type Message, type Prompt, attachmentPath } from '@longhaul/protocol'

/** Of a prompt's attachments by their ids. `content`: the bytes, where this model is given them. One that is not among them is not kept any more. */
export type GivenFiles = ReadonlyMap<string, { name: string; mediaType: string; content?: Buffer | undefined }>

type UserPart = Extract<Message, { role: 'user' }>['content'][number]
export type AttachmentPart = Extract<UserPart, { type: 'attachment' }>

export const attachmentsIn = ({ messages }: Pick<Prompt, 'messages'>): AttachmentPart[] =>
  messages.flatMap((message) => (message.role === 'user' ? message.content.filter((part) => part.type === 'attachment') : []))

const images = new Set(['image/png', 'image/jpeg', 'image/webp', 'image/gif'])
/** Those whose dialect has a place for them. A server that only speaks like OpenAI has one when its operator says that its model takes them. */
const takePdf = new Set(['anthropic', 'openai', 'google', 'bedrock', 'compatible'])
const takeAudio = new Set(['google', 'compatible'])

/** Whether a model of these capabilities can be given such a file as it is. */
export function takesFile(model: string, capabilities: readonly string[], mediaType: string): boolean {
  const provider = model.slice(0, model.indexOf('/'))
  if (images.has(mediaType)) return capabilities.includes('image-input')
  if (mediaType === 'application/pdf') return capabilities.includes('file-input') && takePdf.has(provider)
  return mediaType.startsWith('audio/') && capabilities.includes('audio-input') && takeAudio.has(provider)
}

/** The stand-in understands questions, and would take such a note for a part of one. */
export function toFileParts(part: AttachmentPart, model: string, files: GivenFiles): (LanguageModelV4TextPart | LanguageModelV4FilePart)[] {
  if (model.startsWith('offline/')) return []
  const file = files.get(part.id)
  const note: LanguageModelV4TextPart = { type: 'text', text: noteOn(part, file) }
  if (!file?.content) return [note]
  return [note, { type: 'file', mediaType: file.mediaType, filename: file.name, data: { type: 'data', data: new Uint8Array(file.content) } }]
}

/** What a message says of a file is only quoted, where nothing is known of it. */
function noteOn({ name, bytes }: AttachmentPart, known: { name: string; mediaType: string } | undefined): string {
  return known
    ? `[Attached file: ${attachmentPath(known)} in the sandbox; ${known.mediaType}, ${bytes} bytes.]`
    : `[A file was attached here, ${JSON.stringify(name)}, which is no longer kept.]`
}
