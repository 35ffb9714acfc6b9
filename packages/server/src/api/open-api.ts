/** The HTTP API as OpenAPI 3.1, derived from the operations. What is no operation (files, the pulse) is written here by hand. */
import {
  type Deprecated,
  ErrorBody,
  type Operation,
  errorCodes,
  LiveFrame,
  RunEvent,
  editedBy,
  operations as allOperations,
  sensitiveOperations,
  shownIn,
} from '@longhaul/protocol'
import { type JsonSchema, type Side, jsonSchema } from './json-schema.ts'

type Content = Record<string, { schema: JsonSchema }>
type Response = { description: string; content?: Content; headers?: Record<string, { description: string; schema: JsonSchema }> } | { $ref: string }
type Parameter = { name: string; in: 'path' | 'query' | 'header'; required: boolean; description?: string; schema: JsonSchema }
export type Endpoint = {
  operationId: string
  summary: string
  description?: string
  deprecated?: true
  security?: Record<string, string[]>[]
  parameters?: Parameter[]
  requestBody?: { required: boolean; content: Content }
  responses: Record<string, Response>
}
export type OpenApi = {
  openapi: string
  info: { title: string; version: string; description: string; license: { name: string; identifier: string } }
  security: Record<string, string[]>[]
  paths: Record<string, Record<string, Endpoint>>
  components: { securitySchemes: Record<string, unknown>; schemas: Record<string, JsonSchema>; responses: Record<string, Response> }
}

const json = 'application/json'
const errorResponse = (code: string): string => `Error_${code}`

/** Of all operations, or of these. */
export function openApi(operations: readonly Operation[] = allOperations): OpenApi {
  const schemas: Record<string, JsonSchema> = {}
  const paths: OpenApi['paths'] = {}
  // What is answered keeps its name; what is asked for otherwise gets another. So all answers come first.
  for (const { output } of operations) share(jsonSchema(output, 'output'), 'output', schemas)
  for (const operation of operations) {
    const [method, path] = operation.http
    ;(paths[path] ??= {})[method.toLowerCase()] = endpointOf(operation, schemas)
  }
  // Named shapes that no operation mentions by name but the stream sends.
  share(jsonSchema(RunEvent, 'output'), 'output', schemas)
  share(jsonSchema(LiveFrame, 'output'), 'output', schemas)
  share(jsonSchema(ErrorBody, 'output'), 'output', schemas)
  Object.assign(paths, handWritten)
  return {
    openapi: '3.1.0',
    info: {
      title: 'Longhaul',
      version: '1',
      description:
        'Every operation needs its permission, of a key or of a person who is signed in: `Authorization: Bearer lh_…` or `lp_…`, or the console’s cookie. Errors have one body, and codes from one list.',
      license: { name: 'Apache License 2.0', identifier: 'Apache-2.0' },
    },
    security: [{ key: [] }],
    paths: sorted(paths),
    components: {
      securitySchemes: { key: { type: 'http', scheme: 'bearer', description: 'An API key, or the token of a person’s program.' } },
      schemas: sorted(schemas),
      responses: Object.fromEntries(
        Object.entries(errorCodes).map(([code, { meaning }]) => [
          errorResponse(code),
          { description: meaning, content: { [json]: { schema: { $ref: '#/components/schemas/ErrorBody' } } } },
        ]),
      ),
    },
  }
}

function endpointOf(
  { id, summary, http: [method, path], permission, input, output, frame, isStreamFirst, deprecated }: Operation,
  schemas: Record<string, JsonSchema>,
): Endpoint {
  const asked = share(jsonSchema(input, method === 'POST' ? 'input' : 'output'), 'input', schemas)
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = '']) => name)
  const fields = Object.entries(asked.properties ?? {})
  const required = new Set((asked.required ?? []).filter((name) => asked.properties?.[name]?.default === undefined))
  const parameters: Parameter[] = fields
    .filter(([name]) => inPath.includes(name) || method !== 'POST')
    .map(([name, schema]) => ({ name, in: inPath.includes(name) ? 'path' : 'query', required: inPath.includes(name) || required.has(name), schema }))
  const inBody = method === 'POST' ? fields.filter(([name]) => !inPath.includes(name)) : []
  const isStream = frame !== undefined
  if (isStream)
    parameters.push({
      name: 'Last-Event-ID',
      in: 'header',
      required: false,
      description: 'For the stream: the `id` of the last event received. It goes on after it.',
      schema: { type: 'string', maxLength: 200 },
    })
  if (editedBy.has(id)) parameters.push(...preconditions)
  return {
    operationId: id,
    summary,
    ...(deprecated && { deprecated: true }),
    description: `${deprecated ? `${deprecationNote(deprecated)} ` : ''}${admissionNote(permission)}${sensitiveOperations.has(id) ? ` Asks people for a second factor: it ${sensitiveOperations.get(id)}.` : ''}${isStreamFirst ? ` ${streamFirstNote}` : isStream ? ` ${streamNote}` : ''}`,
    ...(permission === 'anybody' && { security: [] }),
    ...(parameters.length > 0 && { parameters }),
    ...(inBody.length > 0 && {
      requestBody: { required: inBody.some(([name]) => required.has(name)), content: { [json]: { schema: bodyOf(inBody, required) } } },
    }),
    responses: {
      '200': {
        description: 'Done.',
        ...(shownIn.has(id) && method !== 'DELETE' && { headers: { ETag: { description: 'Of a single thing: its `etag`.', schema: { type: 'string' } } } }),
        content: {
          [json]: { schema: share(jsonSchema(output, 'output'), 'output', schemas) },
          ...(isStream && { 'text/event-stream': { schema: { type: 'string' } } }),
        },
      },
      ...errors,
    },
  }
}

const preconditions: Parameter[] = [
  {
    name: 'If-Match',
    in: 'header',
    required: false,
    description:
      'An `etag`, or several: only while the thing has one of them. `*`: only if there is one. Otherwise the answer is 412, and nothing was changed.',
    schema: { type: 'string', maxLength: 1_000 },
  },
  { name: 'If-None-Match', in: 'header', required: false, description: '`*`: only if there is none yet.', schema: { type: 'string', maxLength: 1_000 } },
]

const deprecationNote = ({ since, sunset, link, instead }: Deprecated): string =>
  `Deprecated since ${since}${sunset === undefined ? '' : `, gone from ${sunset} on at the earliest`}.${instead === undefined ? '' : ` Use \`${instead}\`.`} See ${link}.`

const admissionNote = (admission: Operation['permission']): string =>
  admission === 'anybody' ? 'For anybody.' : admission === 'oneself' ? 'For people who are signed in, about themselves.' : `Permission: \`${admission}\`.`

const streamNote =
  'With `Accept: text/event-stream` the answer is its stream as server-sent events, which docs/reference/live.md describes; it is followed over WebSocket and gRPC, too.'

const streamFirstNote =
  'The answer is its stream as server-sent events, which docs/reference/live.md describes; it is followed over WebSocket and gRPC, too. With `Accept: application/json` it is one page.'

const errors: Record<string, Response> = Object.fromEntries(
  Object.entries(errorCodes)
    .toReversed() // Of several codes with one status the first is the usual one.
    .map(([code, { http }]) => [String(http), { $ref: `#/components/responses/${errorResponse(code)}` }]),
)

function bodyOf(fields: [string, JsonSchema][], required: ReadonlySet<string>): JsonSchema {
  const needed = fields.map(([name]) => name).filter((name) => required.has(name))
  return { type: 'object', properties: Object.fromEntries(fields), ...(needed.length > 0 && { required: needed }), additionalProperties: false }
}

const handWritten: OpenApi['paths'] = {
  '/healthz': {
    get: {
      operationId: 'healthz',
      summary: 'Whether the server can do its work. Needs no key.',
      security: [],
      responses: {
        '200': { description: 'Ready.', content: { [json]: { schema: { type: 'object', properties: { status: { const: 'ok' } }, required: ['status'] } } } },
        '503': { $ref: `#/components/responses/${errorResponse('unavailable')}` },
      },
    },
  },
  '/v1/openapi.json': {
    get: {
      operationId: 'openapi',
      summary: 'This description. Needs no key.',
      security: [],
      responses: { '200': { description: 'OpenAPI 3.1.', content: { [json]: { schema: { type: 'object' } } } } },
    },
  },
  '/v1/docs': {
    get: {
      operationId: 'docs',
      summary: 'The same as a page to read. Needs no key.',
      security: [],
      responses: { '200': { description: 'HTML.', content: { 'text/html': { schema: { type: 'string' } } } } },
    },
  },
  '/v1/files/{fileId}': {
    get: {
      operationId: 'files.get',
      summary: 'The bytes of a file that an answer shows.',
      description: 'Permission: `files:read`. Sent with the file’s own media type and with a policy that gives it no rights in a browser.',
      parameters: [{ name: 'fileId', in: 'path', required: true, schema: { type: 'string', format: 'uuid' } }],
      responses: { '200': { description: 'The file.', content: { '*/*': { schema: { type: 'string', format: 'binary' } } } }, ...errors },
    },
  },
}

/**
 * Moves the named shapes of a schema among the shared ones and points the references there. A shape that is asked for
 * otherwise than it is answered with (a default makes a field optional) gets a name of its own for the asking.
 */
function share(schema: JsonSchema, side: Side, schemas: Record<string, JsonSchema>): JsonSchema {
  const { $defs = {}, ...rest } = schema
  const renamed = new Map<string, string>()
  const point = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(point)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => (key === '$ref' ? [key, refer(String(inner))] : [key, point(inner)])))
  }
  const refer = (reference: string) => {
    const name = reference.slice('#/$defs/'.length)
    return `#/components/schemas/${renamed.get(name) ?? name}`
  }
  const differs = ([name, shape]: [string, JsonSchema]) => !renamed.has(name) && schemas[name] && JSON.stringify(schemas[name]) !== JSON.stringify(point(shape))
  // A shape that holds a renamed one differs by that alone: again until none is left.
  for (let found = Object.entries($defs).filter(differs); side === 'input' && found.length > 0; found = Object.entries($defs).filter(differs)) {
    for (const [name] of found) renamed.set(name, `${name}Input`)
  }
  for (const [name, shape] of Object.entries($defs)) schemas[renamed.get(name) ?? name] = point(shape) as JsonSchema // The same tree with other references.
  return point(rest) as JsonSchema
}

const sorted = <Value>(record: Record<string, Value>): Record<string, Value> =>
  Object.fromEntries(Object.entries(record).toSorted(([one], [other]) => (one < other ? -1 : 1)))
