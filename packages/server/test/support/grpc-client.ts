/** A gRPC client that knows nothing of this server: what there is to call it learns by reflection. Another library than the server's. */
import { type ClientReadableStream, Client, Metadata, type ServiceError, credentials } from '@grpc/grpc-js'
import { type DescMessage, type FileRegistry, create, createFileRegistry, fromBinary, fromJson, toBinary, toJson } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from '@bufbuild/protobuf/wkt'
import { errorDetail, reflectionMethod } from '../../src/api/grpc/well-known.ts'

export type Failed = { code: number; message: string; detail: { code: string; requestId: string } | undefined; metadata: Record<string, unknown> }
export type GrpcClient = Awaited<ReturnType<typeof grpcClient>>
type CallOptions = { key?: string | undefined; deadlineMs?: number; signal?: AbortSignal; metadata?: Record<string, string> }
type Reflected = { messageResponse: { case: string; value: { service: { name: string }[]; fileDescriptorProto: Uint8Array[]; errorCode: number } } }

const bytes = (message: Uint8Array): Buffer => Buffer.from(message)

export async function grpcClient(url: string) {
  const client = new Client(url.replace('http://', ''), credentials.createInsecure(), { 'grpc.max_receive_message_length': 64_000_000 })

  /** Each question has its answer, in order. */
  function reflect(questions: object[]): Promise<Reflected['messageResponse'][]> {
    const stream = client.makeBidiStreamRequest(
      '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo',
      (question: object) => bytes(toBinary(reflectionMethod.input, create(reflectionMethod.input, { messageRequest: question } as never))),
      (answer) => fromBinary(reflectionMethod.output, answer) as unknown as Reflected,
    )
    const answers: Reflected['messageResponse'][] = []
    return new Promise((resolve, reject) => {
      stream.on('data', (answer: Reflected) => answers.push(answer.messageResponse))
      stream.on('error', reject)
      stream.on('end', () => resolve(answers))
      for (const question of questions) stream.write(question)
      stream.end()
    })
  }

  const [listed] = await reflect([{ case: 'listServices', value: '' }])
  const services = listed?.value.service.map(({ name }) => name) ?? []
  const files = new Map<string, FileDescriptorProto>()
  for (const answer of await reflect(services.map((name) => ({ case: 'fileContainingSymbol', value: name }))))
    for (const file of answer.value.fileDescriptorProto) {
      const read = fromBinary(FileDescriptorProtoSchema, file)
      files.set(read.name, read)
    }
  const ordered = [...files.values()].toSorted((one, other) => one.dependency.length - other.dependency.length)
  const registry: FileRegistry = createFileRegistry(create(FileDescriptorSetSchema, { file: ordered }))

  function methodOf(path: string) {
    const [serviceName = '', name = ''] = path.split('/')
    const method = registry.getService(serviceName)?.methods.find((each) => each.name === name)
    if (!method) throw new Error(`Reflection tells of no ${path}.`)
    return method
  }
  const encode = (message: DescMessage) => (json: object) => bytes(toBinary(message, fromJson(message, json as never)))
  const decode = (message: DescMessage) => (from: Buffer) => toJson(message, fromBinary(message, from), { alwaysEmitImplicit: true }) as Record<string, unknown>
  const metadataOf = ({ key, metadata = {} }: CallOptions) => {
    const made = new Metadata()
    if (key !== undefined) made.set('authorization', `Bearer ${key}`)
    for (const [name, value] of Object.entries(metadata)) made.set(name, value)
    return made
  }
  const optionsOf = ({ deadlineMs }: CallOptions) => (deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs })

  return {
    services,
    registry,
    reflect,
    methods: () => services.flatMap((name) => registry.getService(name)?.methods.map((method) => `${name}/${method.name}`) ?? []),
    methodOf,
    /** Rejects with `Failed`. */
    call(path: string, input: object = {}, options: CallOptions = {}): Promise<{ output: Record<string, unknown>; headers: Record<string, unknown> }> {
      const method = methodOf(path)
      return new Promise((resolve, reject) => {
        let headers: Record<string, unknown> = {}
        const call = client.makeUnaryRequest(
          `/${path}`,
          encode(method.input),
          decode(method.output),
          input,
          metadataOf(options),
          optionsOf(options),
          (error, output) => (error ? reject(failed(error)) : resolve({ output: output ?? {}, headers })),
        )
        call.on('metadata', (found: Metadata) => (headers = found.getMap()))
        options.signal?.addEventListener('abort', () => call.cancel())
      })
    },
    stream(path: string, input: object, options: CallOptions = {}): ClientReadableStream<Record<string, unknown>> {
      const method = methodOf(path)
      return client.makeServerStreamRequest(`/${path}`, encode(method.input), decode(method.output), input, metadataOf(options), optionsOf(options))
    },
    raw: client,
    close: () => client.close(),
  }
}

export function failed(error: ServiceError): Failed {
  const [status] = error.metadata.get('grpc-status-details-bin')
  return {
    code: error.code,
    message: decodeURIComponent(error.details),
    detail: status instanceof Buffer ? detailIn(status) : undefined,
    metadata: error.metadata.getMap(),
  }
}

/** `google.rpc.Status`: its third field holds the details, each an `Any` with its name and bytes. */
function detailIn(status: Buffer): Failed['detail'] {
  const [detail] = fieldsOf(status).filter(({ number }) => number === 3)
  const value = detail && fieldsOf(detail.bytes).find(({ number }) => number === 2)
  return value && (fromBinary(errorDetail, value.bytes) as unknown as { code: string; requestId: string })
}

function fieldsOf(message: Buffer): { number: number; bytes: Buffer }[] {
  const fields: { number: number; bytes: Buffer }[] = []
  let at = 0
  const varint = () => {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0
      value += (byte & 0x7f) * 2 ** shift
      if (byte < 0x80) return value
    }
  }
  while (at < message.length) {
    const tag = varint()
    const length = tag % 8 === 2 ? varint() : 0
    if (tag % 8 === 0) varint()
    fields.push({ number: tag >> 3, bytes: message.subarray(at, at + length) })
    at += length
  }
  return fields
}
