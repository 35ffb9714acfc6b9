/** An OpenAPI 3 document as tools: each operation with its parameters and JSON body as one flat object of arguments. Pure. */
import { z } from 'zod'
import { type Json, shorten, visibleText } from './json.ts'

export type ApiOperation = {
  /** `operationId`, or made of method and path. */
  id: string
  method: string
  path: string
  description: string
  inputSchema: { [key: string]: Json }
  parameters: { name: string; in: 'path' | 'query' | 'header' }[]
  /** The argument that is sent as JSON body. */
  body: string | undefined
}
export type Api = { baseUrl: string | undefined; operations: ApiOperation[]; refused: { tool: string; why: string }[] }

const methods = ['get', 'put', 'post', 'delete', 'patch', 'head'] as const
const operationsMax = 500
const schemaLengthMax = 32_000
const depthMax = 12

const Anything = z.record(z.string(), z.unknown())
const Document = z.object({
  openapi: z.string().regex(/^3\./, 'must be 3.x'),
  servers: z.array(z.object({ url: z.string() })).optional(),
  paths: z.record(z.string(), Anything),
})
const Parameter = z.object({
  name: z.string(),
  in: z.string(),
  required: z.boolean().default(false),
  description: z.string().optional(),
  schema: Anything.default({}),
})
const Body = z.object({ required: z.boolean().default(false), content: z.record(z.string(), z.object({ schema: Anything.default({}) })) })
const Operation = z.object({
  operationId: z.string().optional(),
  summary: z.string().optional(),
  description: z.string().optional(),
  parameters: z.array(z.unknown()).default([]),
  requestBody: z.unknown().optional(),
})

/** Throws, with a reason for its author, when it is no OpenAPI 3 document. */
export function readApi(document: unknown): Api {
  const parsed = Document.safeParse(document)
  if (!parsed.success)
    throw new Error(`is no OpenAPI 3 document: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}`)
  const api: Api = { baseUrl: parsed.data.servers?.[0]?.url, operations: [], refused: [] }
  const resolve = resolver(document)
  for (const [path, item] of Object.entries(parsed.data.paths)) {
    for (const method of methods) {
      if (item[method] === undefined) continue
      if (api.operations.length >= operationsMax) throw new Error(`has more than ${operationsMax} operations`)
      const name = `${method.toUpperCase()} ${path}`
      try {
        api.operations.push(readOperation(method, path, item, resolve))
      } catch (error) {
        api.refused.push({ tool: name, why: error instanceof Error ? error.message : String(error) })
      }
    }
  }
  return api
}

function readOperation(method: string, path: string, item: Record<string, unknown>, resolve: Resolve): ApiOperation {
  const found = Operation.parse(item[method])
  const shared = Array.isArray(item['parameters']) ? item['parameters'] : []
  const properties: { [key: string]: Json } = {}
  const required: string[] = []
  const parameters: ApiOperation['parameters'] = []
  for (const given of [...shared, ...found.parameters]) {
    const { name, in: place, required: isRequired, description, schema } = Parameter.parse(resolve(given, 1))
    if (place === 'cookie') continue
    if (place !== 'path' && place !== 'query' && place !== 'header') throw new Error(`the parameter ${name} is in ${place}, which OpenAPI does not know`)
    const at = parameters.findIndex((other) => other.name === name && other.in === place)
    if (at !== -1) parameters.splice(at, 1) // An operation's own goes before the one of its path.
    else if (name in properties) throw new Error(`there are two parameters ${name}`)
    parameters.push({ name, in: place })
    properties[name] = { ...(resolve(schema) as { [key: string]: Json }), ...(description !== undefined && { description }) }
    if (isRequired && !required.includes(name)) required.push(name)
  }
  const missing = [...path.matchAll(/\{([^}]+)\}/g)].find(([, name]) => !parameters.some((parameter) => parameter.in === 'path' && parameter.name === name))
  if (missing) throw new Error(`the path's ${missing[0]} is not among its parameters`)
  const body = found.requestBody === undefined ? undefined : readBody(resolve(found.requestBody, 1))
  const bodyName = body && ('body' in properties ? 'request_body' : 'body')
  if (body && bodyName) {
    properties[bodyName] = resolve(body.schema)
    if (body.isRequired) required.push(bodyName)
  }
  const id = found.operationId ?? `${method}_${path.replaceAll(/[^a-zA-Z0-9]+/g, '_').replaceAll(/^_|_$/g, '')}`
  const inputSchema = { type: 'object', properties, ...(required.length > 0 && { required }), additionalProperties: false }
  if (JSON.stringify(inputSchema).length > schemaLengthMax) throw new Error(`its arguments take more than ${schemaLengthMax} characters to describe`)
  const about = [found.summary, found.description].flatMap((text) => text ?? []).join('. ') || `${method.toUpperCase()} ${path}`
  return { id, method: method.toUpperCase(), path, description: shorten(visibleText(about), 2_000), inputSchema, parameters, body: bodyName }
}

function readBody(given: unknown): { schema: Record<string, unknown>; isRequired: boolean } {
  const { content, required } = Body.parse(given)
  const json = Object.entries(content).find(([type]) => /^application\/([\w.-]+\+)?json\b/.test(type))
  if (!json) throw new Error(`its body is ${Object.keys(content).join(', ') || 'nothing'}, and only JSON is sent`)
  return { schema: json[1].schema, isRequired: required }
}

/** With references within the document replaced by what they refer to; `levels` deep, for those who look only at the outside. */
type Resolve = (value: unknown, levels?: number) => Json

function resolver(document: unknown): Resolve {
  const lookUp = (ref: string): unknown => {
    if (!ref.startsWith('#/')) throw new Error(`it refers to ${ref.slice(0, 100)}, outside of the document`)
    let at: unknown = document
    for (const part of ref.slice(2).split('/')) {
      const key = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
      at = typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? (at as Record<string, unknown>)[key] : undefined
    }
    if (at === undefined) throw new Error(`it refers to ${ref.slice(0, 100)}, which is not there`)
    return at
  }
  let budget = 0
  const walk = (value: unknown, levels: number, depth: number): Json => {
    if (++budget > 20_000) throw new Error('its description has too many parts')
    if (Array.isArray(value)) return value.map((inner) => walk(inner, levels, depth + 1))
    if (typeof value === 'string') return visibleText(value)
    if (typeof value !== 'object' || value === null) return (value ?? null) as Json // From JSON or YAML: a number, a truth, or nothing.
    // Deeper than that is a description that contains itself, or one that no model would follow.
    if (depth > depthMax) return {}
    const ref = (value as { $ref?: unknown }).$ref
    if (typeof ref === 'string') return levels === 0 ? ({ $ref: ref } as Json) : walk(lookUp(ref), levels - 1, depth + 1)
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, inner]) => (inner === undefined || key.startsWith('x-') ? [] : [[key, walk(inner, levels, depth + 1)]])),
    )
  }
  return (value, levels = depthMax) => {
    budget = 0
    return walk(value, levels, 0)
  }
}
