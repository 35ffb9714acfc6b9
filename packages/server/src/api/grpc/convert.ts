/** Between messages and the JSON that operations take and give. */
import { type DescMessage, type JsonValue, type Message as AnyMessage, ScalarType, fromJson, toJson } from '@bufbuild/protobuf'
import type { Message } from './shapes.ts'
import { wrappedField } from './shapes.ts'

type Plain = Record<string, unknown>

export function openConverter(messages: readonly Message[]) {
  const nullWhenAbsent = new Map(messages.map(({ name, fields }) => [name, fields.filter((field) => field.isNullWhenAbsent).map(({ json }) => json)]))
  const wrapped = new Set(
    messages.flatMap(({ name, fields }) => (fields.length === 1 && fields[0]?.json === wrappedField && name.endsWith('Response') ? name : [])),
  )

  /** Numbers are numbers, and what has to be null is null. */
  function settle(message: DescMessage, json: Plain): Plain {
    for (const field of message.fields) {
      const value = json[field.jsonName]
      if (field.fieldKind === 'scalar' && field.scalar === ScalarType.INT64 && typeof value === 'string') json[field.jsonName] = Number(value)
      if (field.fieldKind === 'list' && field.listKind === 'scalar' && field.scalar === ScalarType.INT64) json[field.jsonName] = (value as string[]).map(Number)
      if (field.fieldKind === 'message' && isOurs(field.message) && value !== undefined) settle(field.message, value as Plain)
      if (field.fieldKind === 'list' && field.listKind === 'message' && isOurs(field.message)) for (const item of value as Plain[]) settle(field.message, item)
    }
    for (const name of nullWhenAbsent.get(message.name) ?? []) json[name] ??= null
    return json
  }

  return {
    /** What an operation is asked for. */
    toInput(message: DescMessage, value: AnyMessage): Plain {
      return settle(message, toJson(message, value, { alwaysEmitImplicit: true }) as Plain) // Our messages are objects in JSON.
    },
    /** What it answers. */
    toMessage(message: DescMessage, output: unknown): AnyMessage {
      const json = JSON.parse(JSON.stringify(wrapped.has(message.name) ? { [wrappedField]: output } : output)) as JsonValue // Without what is undefined.
      return fromJson(message, json, { ignoreUnknownFields: true })
    },
  }
}
export type Converter = ReturnType<typeof openConverter>

const isOurs = ({ typeName }: DescMessage): boolean => !typeName.startsWith('google.protobuf.')
