/** docs/reference/longhaul.proto, and the numbers of its fields. */
import { snake } from '../../packages/server/src/api/grpc/descriptor.ts'
import { type Numbers, type NumberedField, type NumberedMessage, extendNumbers, numbered } from '../../packages/server/src/api/grpc/numbers.ts'
import { type Method, packageName, shapesOf } from '../../packages/server/src/api/grpc/shapes.ts'

/** What was given before stays; what is new gets the next number. */
export const numbersAfter = (before: Numbers): Numbers => extendNumbers(before, shapesOf().messages)

export function protoFile(numbers: Numbers): string {
  const { messages, services } = shapesOf()
  const parts = [
    ...services.map(({ name, methods }) => `service ${name} {\n${methods.map(rpc).join('\n')}\n}`),
    ...numbered(messages, numbers)
      .toSorted((one, other) => (one.name < other.name ? -1 : 1))
      .map(messageText),
  ]
  return `// The API as gRPC, made from the operations in packages/protocol by npm run generate. docs/reference/grpc.md says how it is used.
// Numbers are given once: packages/server/src/api/grpc/field-numbers.json.
syntax = "proto3";

package ${packageName};

import "google/protobuf/struct.proto";

${parts.join('\n\n')}
`
}

const rpc = ({ name, request, response, isStream, comment }: Method): string =>
  `${comments(comment)}  rpc ${name}(${request}) returns (${isStream ? 'stream ' : ''}${response});`

function messageText({ name, comment, fields, reserved }: NumberedMessage): string {
  const lines = [...(reserved.length > 0 ? [`  reserved ${reserved.join(', ')};`] : []), ...fields.map(fieldText)]
  return `${comment ? `// ${oneLine(comment)}\n` : ''}message ${name} {${lines.length > 0 ? `\n${lines.join('\n')}\n` : ''}}`
}

function fieldText({ json, type, isRepeated, isOptional, number, comment }: NumberedField): string {
  const name = snake(json)
  const usual = name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase())
  const label = isRepeated ? 'repeated ' : isOptional ? 'optional ' : ''
  return `${comments(comment)}  ${label}${type} ${name} = ${number}${usual === json ? '' : ` [json_name = "${json}"]`};`
}

const oneLine = (text: string): string => text.replaceAll(/\s+/g, ' ').trim()
const comments = (text: string): string => (text ? `  // ${oneLine(text)}\n` : '')
