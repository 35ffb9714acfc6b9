/** The same as descriptors, which encode, decode and are told by reflection. */
import { type FileRegistry, create, createFileRegistry, toBinary } from '@bufbuild/protobuf'
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  DescriptorProtoSchema,
  OneofDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
  MethodDescriptorProtoSchema,
  file_google_protobuf_struct,
} from '@bufbuild/protobuf/wkt'
import type { NumberedField, NumberedMessage } from './numbers.ts'
import { type Service, packageName } from './shapes.ts'

const scalars: Record<string, Type> = { string: Type.STRING, bool: Type.BOOL, int64: Type.INT64, double: Type.DOUBLE, bytes: Type.BYTES, int32: Type.INT32 }

export const snake = (name: string): string => name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)

export function fileOf(messages: readonly NumberedMessage[], services: readonly Service[]) {
  return create(FileDescriptorProtoSchema, {
    name: 'longhaul/v1/longhaul.proto',
    package: packageName,
    syntax: 'proto3',
    dependency: ['google/protobuf/struct.proto'],
    messageType: messages.map(messageOf),
    service: services.map(({ name, methods }) =>
      create(ServiceDescriptorProtoSchema, {
        name,
        method: methods.map(({ name: method, request, response, isStream }) =>
          create(MethodDescriptorProtoSchema, {
            name: method,
            inputType: `.${packageName}.${request}`,
            outputType: `.${packageName}.${response}`,
            serverStreaming: isStream,
          }),
        ),
      }),
    ),
  })
}

export type OwnFile = ReturnType<typeof fileOf>

/** What can be looked up: our files and what they import. */
export function registryOf(files: readonly OwnFile[]): FileRegistry {
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [file_google_protobuf_struct.proto, ...files] }))
}

export const bytesOf = (file: OwnFile): Uint8Array<ArrayBuffer> => new Uint8Array(toBinary(FileDescriptorProtoSchema, file))

function messageOf({ name, fields, reserved }: NumberedMessage): DescriptorProto {
  const optional = fields.filter(({ isOptional }) => isOptional)
  return create(DescriptorProtoSchema, {
    name,
    field: fields.map((field) => fieldOf(field, optional.indexOf(field))),
    // How protocol buffers write down presence: each such field is one of one.
    oneofDecl: optional.map(({ json }) => create(OneofDescriptorProtoSchema, { name: `_${snake(json)}` })),
    reservedRange: reserved.map((number) => ({ start: number, end: number + 1 })),
  })
}

function fieldOf({ json, type, isRepeated, isOptional, number }: NumberedField, oneofAt: number): FieldDescriptorProto {
  const scalar = scalars[type]
  return create(FieldDescriptorProtoSchema, {
    name: snake(json),
    jsonName: json,
    number,
    label: isRepeated ? Label.REPEATED : Label.OPTIONAL,
    ...(scalar === undefined ? { type: Type.MESSAGE, typeName: type.startsWith('google.') ? `.${type}` : `.${packageName}.${type}` } : { type: scalar }),
    ...(isOptional && { proto3Optional: true, oneofIndex: oneofAt }),
  })
}
