/** Server reflection: which services there are, and the files that describe them. */
import { type Message, create, toBinary } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, file_google_protobuf_struct } from '@bufbuild/protobuf/wkt'
import { reflectionMethod } from './well-known.ts'

type Asked = { messageRequest: { case?: string; value?: unknown } }

/** As gRPC numbers them. */
const codes = { invalid: 3, notFound: 5, overLimit: 8, unimplemented: 12 } as const
/** A client asks once for each file and symbol: a stream with more is none. */
const questionsMax = 2_000

export function openReflection(ours: readonly FileDescriptorProto[]) {
  const files = new Map([...ours, file_google_protobuf_struct.proto].map((file) => [file.name, file]))
  const byName = new Map([...files.values()].flatMap((file) => namesIn(file).map((name) => [name, file] as const)))
  const services = ours.flatMap((file) => file.service.map(({ name }) => `${file.package}.${name}`)).toSorted()

  /** A file and what it imports, each once. */
  function withImports(file: FileDescriptorProto, found = new Set<FileDescriptorProto>()): Set<FileDescriptorProto> {
    if (found.has(file)) return found
    found.add(file)
    for (const name of file.dependency) {
      const imported = files.get(name)
      if (imported) withImports(imported, found)
    }
    return found
  }

  const failure = (code: number, errorMessage: string) => ({ case: 'errorResponse', value: { errorCode: code, errorMessage } })
  const described = (file: FileDescriptorProto | undefined, asked: string) =>
    file
      ? { case: 'fileDescriptorResponse', value: { fileDescriptorProto: [...withImports(file)].map((each) => toBinary(FileDescriptorProtoSchema, each)) } }
      : failure(codes.notFound, `There is no ${asked.slice(0, 200)}.`)

  function answer({ case: what, value }: Asked['messageRequest']) {
    const asked = typeof value === 'string' ? value : ''
    if (what === 'listServices') return { case: 'listServicesResponse', value: { service: services.map((name) => ({ name })) } }
    if (what === 'fileByFilename') return described(files.get(asked), asked)
    if (what === 'fileContainingSymbol') return described(byName.get(asked), asked)
    if (what === 'allExtensionNumbersOfType')
      return byName.has(asked)
        ? { case: 'allExtensionNumbersResponse', value: { baseTypeName: asked, extensionNumber: [] } }
        : failure(codes.notFound, `There is no ${asked.slice(0, 200)}.`)
    if (what === 'fileContainingExtension') return failure(codes.notFound, 'There are no extensions here.')
    return failure(codes.invalid, 'Nothing was asked.')
  }

  return async function* reflect(requests: AsyncIterable<Message>): AsyncGenerator<Message> {
    let count = 0
    for await (const request of requests) {
      const isTooMany = ++count > questionsMax
      const { messageRequest } = request as Message & Asked // As its descriptor says.
      const messageResponse = isTooMany ? failure(codes.overLimit, 'Too many questions on one stream.') : answer(messageRequest)
      yield create(reflectionMethod.output, { validHost: '', originalRequest: request, messageResponse } as never) // As its descriptor says.
      if (isTooMany) return
    }
  }
}

/** Services with their methods, messages with those inside. */
function namesIn(file: FileDescriptorProto): string[] {
  const messages = (prefix: string, list: FileDescriptorProto['messageType']): string[] =>
    list.flatMap(({ name, nestedType, enumType }) => [
      `${prefix}.${name}`,
      ...messages(`${prefix}.${name}`, nestedType),
      ...enumType.map((each) => `${prefix}.${name}.${each.name}`),
    ])
  return [
    ...messages(file.package, file.messageType),
    ...file.enumType.map(({ name }) => `${file.package}.${name}`),
    ...file.service.flatMap(({ name, method }) => [`${file.package}.${name}`, ...method.map((each) => `${file.package}.${name}.${each.name}`)]),
  ]
}
