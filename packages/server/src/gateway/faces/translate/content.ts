/** Reading the parts of a message that all languages have: text, images, files; and refusing clearly what is neither. */
import type { LanguageModelV4FilePart, LanguageModelV4Message, LanguageModelV4TextPart, LanguageModelV4ToolResultPart } from '@ai-sdk/provider'
import { refuse } from '../request-body.ts'
import { signedCalls } from './seal.ts'

export type Fields = Record<string, unknown>
export type UserPart = LanguageModelV4TextPart | LanguageModelV4FilePart
export type AssistantPart = Extract<LanguageModelV4Message, { role: 'assistant' }>['content'][number]
export type ToolResultPart = LanguageModelV4ToolResultPart

export const fieldsOf = (value: unknown, where: string): Fields => {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw refuse('bad_request', `${where}: must be an object.`)
  return value as Fields // An object that is no array.
}
export const textOf = (value: unknown, where: string): string => {
  if (typeof value !== 'string') throw refuse('bad_request', `${where}: must be a text.`)
  return value
}
export const listOf = (value: unknown, where: string): unknown[] => {
  if (!Array.isArray(value)) throw refuse('bad_request', `${where}: must be a list.`)
  return value
}
export const numberOf = (value: unknown, where: string): number | undefined => {
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'number') throw refuse('bad_request', `${where}: must be a number.`)
  return value
}

export const unknownPart = (where: string, type: unknown, model: string) =>
  refuse('unsupported', `${where}: ${model} does not take a part of type ${JSON.stringify(String(type).slice(0, 64))} in this form.`)

/** `data:image/png;base64,…` or an address. */
export function fileOf(address: unknown, mediaType: string, where: string): LanguageModelV4FilePart {
  const url = textOf(address, where)
  const [, type, data] = /^data:([\w/+.-]+);base64,([\s\S]*)$/.exec(url) ?? []
  if (type !== undefined && data !== undefined) return { type: 'file', mediaType: type, data: { type: 'data', data } }
  const parsed = URL.parse(url)
  if (!parsed || !/^https?:$/.test(parsed.protocol)) throw refuse('bad_request', `${where}: must be an http address or a data: URL in base64.`)
  return { type: 'file', mediaType, data: { type: 'url', url: parsed } }
}

/** Arguments that are not JSON would be refused by whoever reads them next; the model that wrote them is told what it did. */
export function inputOf(text: unknown): unknown {
  if (typeof text !== 'string' || text.trim() === '') return {}
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : { input: value }
  } catch {
    return { malformed: text }
  }
}

/** Messages of the same role one after the other are one: providers insist, and results of parallel calls come one by one. */
export function joined(messages: LanguageModelV4Message[]): LanguageModelV4Message[] {
  const all: LanguageModelV4Message[] = []
  for (const message of messages) {
    const last = all.at(-1)
    if (message.role === 'tool' && last?.role === 'tool') last.content.push(...message.content)
    else if (message.role === 'user' && last?.role === 'user') last.content.push(...message.content)
    else if (message.role === 'assistant' && last?.role === 'assistant') last.content.push(...message.content)
    else all.push(message)
  }
  return all
    .map((message) => (message.role === 'assistant' ? { ...message, content: signedCalls(message.content) } : message))
    .filter((message) => message.role === 'system' || message.content.length > 0)
}
