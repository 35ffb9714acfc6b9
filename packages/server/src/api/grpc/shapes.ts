/**
 * The operations as messages and services of protocol buffers, without numbers yet. Pure, and the same for the same operations.
 *
 * What JSON has and protocol buffers lack is kept: a field that may be absent has presence; a list that may be absent is a `ListValue`, since an empty one and none
 * are not the same; one of several things, any JSON, and objects with names of their own are a `Value` or a `Struct`.
 */
import { type Operation, operations } from '@longhaul/protocol'
import { type JsonSchema, type Side, jsonSchema } from '../json-schema.ts'

export const packageName = 'longhaul.v1'
const wellKnown = { value: 'google.protobuf.Value', struct: 'google.protobuf.Struct', list: 'google.protobuf.ListValue' } as const

export type Field = {
  /** In JSON. In the `.proto` it is written with underscores. */
  json: string
  /** `string`, `bool`, `int64`, `double`, a well-known type, or a message of ours. */
  type: string
  isRepeated: boolean
  /** Whether it is absent or empty can be told apart. */
  isOptional: boolean
  /** Absent means null: what is asked for has to be there, and null is an answer. */
  isNullWhenAbsent: boolean
  comment: string
}
export type Message = { name: string; comment: string; fields: Field[] }
export type Method = { name: string; operation: Operation; isStream: boolean; request: string; response: string; comment: string }
export type Service = { name: string; methods: Method[] }
export type Shapes = { messages: Message[]; services: Service[] }

/** The message that stands for an answer which is no object has it in this field. */
export const wrappedField = 'value'

export function shapesOf(list: readonly Operation[] = operations): Shapes {
  const messages = new Map<string, Message>()
  const services = new Map<string, Method[]>()

  function add(message: Message): string {
    const before = messages.get(message.name)
    if (before && JSON.stringify(before) !== JSON.stringify(message)) throw new Error(`Two messages would be ${message.name}.`)
    messages.set(message.name, message)
    return message.name
  }

  /** Shapes with a name keep it, those that are asked for with `Input` after it: what is asked for and what is answered differ in defaults. */
  function makeMessages(side: Side, root: string, schema: JsonSchema): string {
    const { $defs = {} } = schema
    const resolve = (given: JsonSchema): { schema: JsonSchema; name?: string } => {
      const reference = given.$ref?.slice('#/$defs/'.length)
      const found = reference === undefined ? undefined : $defs[reference]
      return found && reference !== undefined ? { ...resolve(found), name: side === 'input' ? `${reference}Input` : reference } : { schema: given }
    }
    const open = new Set<string>()

    function message(name: string, { properties = {}, required = [], description = '' }: JsonSchema): string {
      if (open.has(name)) return name // It holds itself.
      open.add(name)
      const fields = Object.entries(properties).map(([json, given]) => field(name, json, given, required.includes(json) && given.default === undefined))
      open.delete(name)
      return add({ name, comment: description, fields })
    }

    function field(owner: string, json: string, given: JsonSchema, isRequired: boolean): Field {
      const { inner, isNullable } = withoutNull(given)
      const { schema: found, name } = resolve(inner)
      const made = (type: string, more: Partial<Field> = {}): Field => ({
        json,
        type,
        ...{ isRepeated: false, isOptional: !isRequired || isNullable, isNullWhenAbsent: false },
        comment: found.enum ? `One of: ${found.enum.join(', ')}.` : (found.description ?? ''),
        ...more,
      })
      const isAlwaysThere = isRequired || (Array.isArray(given.default) && given.default.length === 0)
      // Null and absent say different things there.
      if (side === 'input' && isNullable && !isRequired) return made(wellKnown.value, { isOptional: false })
      const nullness = { isNullWhenAbsent: side === 'input' && isNullable }
      if (found.type === 'array') {
        if (isNullable || !isAlwaysThere) return made(wellKnown.list, { isOptional: false, ...nullness })
        const item = resolve(found.items ?? {})
        return made(typeOf(owner, `${json}Item`, item.schema, item.name), { isRepeated: true, isOptional: false })
      }
      const type = typeOf(owner, json, found, name)
      return made(type, { ...nullness, ...(isScalar(type) ? {} : { isOptional: false }) }) // A message has presence by itself.
    }

    function typeOf(owner: string, json: string, schemaOf: JsonSchema, name: string | undefined): string {
      if (schemaOf.anyOf ?? schemaOf.oneOf) return wellKnown.value
      if (schemaOf.const !== undefined) return typeof schemaOf.const === 'boolean' ? 'bool' : 'string'
      if (schemaOf.enum) return 'string'
      switch (schemaOf.type) {
        case 'string':
          return 'string'
        case 'boolean':
          return 'bool'
        case 'integer':
          return 'int64'
        case 'number':
          return 'double'
        case 'array':
          return wellKnown.list // Within a list.
        case 'object':
          return schemaOf.properties ? message(name ?? `${owner}${pascal(json)}`, schemaOf) : wellKnown.struct
        default:
          return wellKnown.value
      }
    }

    const { schema: found, name } = resolve(schema)
    if (found.type === 'object' && found.properties) return message(name && side === 'output' ? name : root, found)
    return add({ name: root, comment: '', fields: [field(root, wrappedField, schema, true)] })
  }

  for (const operation of list) {
    const [noun = '', verb = ''] = operation.id.split('.')
    const name = `${pascal(noun)}${pascal(verb)}`
    // Outside of bodies numbers are texts that become numbers: here they are numbers.
    const asked = jsonSchema(operation.input, operation.http[0] === 'POST' ? 'input' : 'output')
    const request = makeMessages('input', `${name}Request`, asked)
    const response = makeMessages('output', `${name}Response`, jsonSchema(operation.output, 'output'))
    const methods = services.get(`${pascal(noun)}Service`) ?? []
    services.set(`${pascal(noun)}Service`, methods)
    methods.push({ name: pascal(verb), operation, isStream: false, request, response, comment: operation.summary })
    if (!operation.frame) continue
    const scalar = { isRepeated: false, isNullWhenAbsent: false }
    const follow = add({
      name: `${name}StreamRequest`,
      comment: '',
      fields: [
        { ...scalar, json: 'input', type: request, isOptional: false, comment: '' },
        { ...scalar, json: 'after', type: 'string', isOptional: true, comment: 'The cursor of the last frame that the client has.' },
      ],
    })
    const frame = add({
      name: `${name}Frame`,
      comment: '',
      fields: [
        { ...scalar, json: 'event', type: 'string', isOptional: false, comment: 'Which event: docs/reference/live.md.' },
        { ...scalar, json: 'cursor', type: 'string', isOptional: true, comment: 'One can go on after it.' },
        { ...scalar, json: 'data', type: wellKnown.value, isOptional: false, comment: '' },
      ],
    })
    methods.push({ name: `${pascal(verb)}Stream`, operation, isStream: true, request: follow, response: frame, comment: 'As it changes.' })
  }
  return { messages: [...messages.values()], services: [...services].map(([name, methods]) => ({ name, methods })) }
}

const isScalar = (type: string): boolean => ['string', 'bool', 'int64', 'double'].includes(type)
const pascal = (name: string): string => name.slice(0, 1).toUpperCase() + name.slice(1)

function withoutNull(schema: JsonSchema): { inner: JsonSchema; isNullable: boolean } {
  if (Array.isArray(schema.type)) {
    const types = schema.type.filter((type) => type !== 'null')
    const [only] = types
    return { inner: { ...schema, ...(only !== undefined && types.length === 1 && { type: only }) }, isNullable: types.length < schema.type.length }
  }
  const choices = schema.anyOf?.filter(({ type }) => type !== 'null')
  if (!choices || choices.length === schema.anyOf?.length) return { inner: schema, isNullable: false }
  const [only] = choices
  const { anyOf: _, ...rest } = schema
  return { inner: only && choices.length === 1 ? { ...rest, ...only } : { ...rest, anyOf: choices }, isNullable: true }
}
