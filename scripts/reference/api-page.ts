/** docs/reference/api.md: the OpenAPI document for people. */
import type { JsonSchema } from '../../packages/server/src/api/json-schema.ts'
import type { Endpoint, OpenApi } from '../../packages/server/src/api/open-api.ts'
import { fieldsOf, inWords } from '../../packages/server/src/api/schema-words.ts'
import { markdownTable } from './markdown-table.ts'

export function apiPage({ paths, components }: OpenApi): string {
  const endpoints = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, endpoint]) => endpointSection(method.toUpperCase(), path, endpoint)),
  )
  const shapes = Object.entries(components.schemas)
    .toSorted(([one], [other]) => (one < other ? -1 : 1))
    .map(([name, schema]) => shapeSection(name, schema))
  return `# HTTP API

Made from the operations in \`packages/protocol\` by \`npm run generate\`; [openapi.json](openapi.json) is the same for programs. Every request but
\`GET /healthz\` carries \`Authorization: Bearer <key>\`. Fields of a \`POST\` are a JSON object in the body, those of \`GET\` and \`DELETE\` the query; a field that is not
listed is an error. Errors: [errors.md](errors.md). Lists answer \`items\` and \`next\`, which is the \`cursor\` of the next page, or null.

${endpoints.join('\n\n')}

# Shapes

${shapes.join('\n\n')}
`
}

function endpointSection(method: string, path: string, { operationId, summary, description, parameters = [], requestBody, responses }: Endpoint): string {
  const body = requestBody?.content['application/json']?.schema ?? {}
  const rows = [
    ...parameters.map(({ name, in: place, required, schema, description: note }) => [
      `\`${name}\``,
      place,
      `${inWords(schema)}${note ? `. ${note}` : ''}`,
      required ? 'required' : whenAbsent(schema.default),
    ]),
    ...fieldsOf(body).map((field) => [`\`${field.name}\``, 'body', field.kind, field.isRequired ? 'required' : whenAbsent(field.default)]),
  ]
  return [
    `## \`${method} ${path}\``,
    `${summary}${description ? ` ${description}` : ''} Operation \`${operationId}\`.`,
    ...(rows.length > 0 ? [markdownTable(['Field', 'In', 'Value', 'When absent'], rows)] : []),
    `Answers ${answerOf(responses['200'])}.`,
  ].join('\n\n')
}

const whenAbsent = (value: unknown): string => (value === undefined ? '–' : `\`${JSON.stringify(value)}\``)

function answerOf(response: Endpoint['responses'][string] | undefined): string {
  if (!response || !('content' in response)) return 'nothing'
  const json = response.content?.['application/json']?.schema
  return json ? `\`${inWords(json)}\`` : 'the file’s bytes'
}

function shapeSection(name: string, schema: JsonSchema): string {
  if (name === 'RunEvent' || name === 'LiveFrame') return `## ${name}\n\nSee [events.md](events.md).`
  const rows = fieldsOf(schema).map(({ name: field, kind, isRequired }) => [`\`${field}\``, kind, isRequired ? 'always' : 'sometimes'])
  return `## ${name}\n\n${rows.length > 0 ? markdownTable(['Field', 'Value', 'There'], rows) : choices(schema)}`
}

/** One of several things is a list of them; anything else is said in a line. */
function choices(schema: JsonSchema): string {
  const each = schema.oneOf ?? schema.anyOf
  return each
    ? each.map((choice) => `- ${inWords(choice)}`).join('\n')
    : `${schema.description ?? inWords(schema)}${schema.pattern ? ` matching \`${schema.pattern}\`` : ''}`
}
