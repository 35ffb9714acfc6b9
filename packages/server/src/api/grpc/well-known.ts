/** Services and messages that every gRPC client knows: reflection, health, and why a call failed. Their names and numbers are gRPC's and Google's. */
import { type DescMessage, type DescMethod, create, createFileRegistry } from '@bufbuild/protobuf'
import {
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodDescriptorProtoSchema,
  OneofDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from '@bufbuild/protobuf/wkt'

/** `[repeated] type name number [in oneof]` */
type Line = string
const scalars: Record<string, Type> = { string: Type.STRING, bytes: Type.BYTES, int32: Type.INT32 }

function message(packageName: string, name: string, lines: readonly Line[]) {
  const oneofs = [...new Set(lines.flatMap((line) => / in (\w+)$/.exec(line)?.[1] ?? []))]
  return create(DescriptorProtoSchema, {
    name,
    oneofDecl: oneofs.map((oneof) => create(OneofDescriptorProtoSchema, { name: oneof })),
    field: lines.map((line) => {
      const [, repeated, type = '', field = '', number, oneof] = /^(repeated )?(\S+) (\w+) (\d+)(?: in (\w+))?$/.exec(line) ?? []
      const scalar = scalars[type]
      const isEnum = type === 'ServingStatus'
      return create(FieldDescriptorProtoSchema, {
        name: field,
        jsonName: field.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
        number: Number(number),
        label: repeated ? Label.REPEATED : Label.OPTIONAL,
        ...(scalar === undefined
          ? { type: isEnum ? Type.ENUM : Type.MESSAGE, typeName: isEnum ? `.${packageName}.${name}.${type}` : `.${packageName}.${type}` }
          : { type: scalar }),
        ...(oneof !== undefined && { oneofIndex: oneofs.indexOf(oneof) }),
      })
    }),
  })
}

const reflectionPackage = 'grpc.reflection.v1'
const reflectionFile = create(FileDescriptorProtoSchema, {
  name: 'grpc/reflection/v1/reflection.proto',
  package: reflectionPackage,
  syntax: 'proto3',
  messageType: [
    message(reflectionPackage, 'ServerReflectionRequest', [
      'string host 1',
      'string file_by_filename 3 in message_request',
      'string file_containing_symbol 4 in message_request',
      'ExtensionRequest file_containing_extension 5 in message_request',
      'string all_extension_numbers_of_type 6 in message_request',
      'string list_services 7 in message_request',
    ]),
    message(reflectionPackage, 'ExtensionRequest', ['string containing_type 1', 'int32 extension_number 2']),
    message(reflectionPackage, 'ServerReflectionResponse', [
      'string valid_host 1',
      'ServerReflectionRequest original_request 2',
      'FileDescriptorResponse file_descriptor_response 4 in message_response',
      'ExtensionNumberResponse all_extension_numbers_response 5 in message_response',
      'ListServiceResponse list_services_response 6 in message_response',
      'ErrorResponse error_response 7 in message_response',
    ]),
    message(reflectionPackage, 'FileDescriptorResponse', ['repeated bytes file_descriptor_proto 1']),
    message(reflectionPackage, 'ExtensionNumberResponse', ['string base_type_name 1', 'repeated int32 extension_number 2']),
    message(reflectionPackage, 'ListServiceResponse', ['repeated ServiceResponse service 1']),
    message(reflectionPackage, 'ServiceResponse', ['string name 1']),
    message(reflectionPackage, 'ErrorResponse', ['int32 error_code 1', 'string error_message 2']),
  ],
  service: [
    create(ServiceDescriptorProtoSchema, {
      name: 'ServerReflection',
      method: [
        create(MethodDescriptorProtoSchema, {
          name: 'ServerReflectionInfo',
          inputType: `.${reflectionPackage}.ServerReflectionRequest`,
          outputType: `.${reflectionPackage}.ServerReflectionResponse`,
          clientStreaming: true,
          serverStreaming: true,
        }),
      ],
    }),
  ],
})

const healthPackage = 'grpc.health.v1'
const servingStates = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'] as const
export const servingState = (name: (typeof servingStates)[number]): number => servingStates.indexOf(name)
const healthResponse = message(healthPackage, 'HealthCheckResponse', ['ServingStatus status 1'])
healthResponse.enumType.push(create(EnumDescriptorProtoSchema, { name: 'ServingStatus', value: servingStates.map((name, number) => ({ name, number })) }))
const healthMethod = (name: string, serverStreaming: boolean) =>
  create(MethodDescriptorProtoSchema, {
    ...{ name, serverStreaming },
    inputType: `.${healthPackage}.HealthCheckRequest`,
    outputType: `.${healthPackage}.HealthCheckResponse`,
  })
const healthFile = create(FileDescriptorProtoSchema, {
  name: 'grpc/health/v1/health.proto',
  package: healthPackage,
  syntax: 'proto3',
  messageType: [message(healthPackage, 'HealthCheckRequest', ['string service 1']), healthResponse],
  service: [create(ServiceDescriptorProtoSchema, { name: 'Health', method: [healthMethod('Check', false), healthMethod('Watch', true)] })],
})

const errorFile = create(FileDescriptorProtoSchema, {
  name: 'longhaul/v1/error.proto',
  package: 'longhaul.v1',
  syntax: 'proto3',
  messageType: [message('longhaul.v1', 'ErrorDetail', ['string code 1', 'string request_id 2', 'int32 retry_after_s 3'])],
})

export const wellKnownFiles: readonly FileDescriptorProto[] = [reflectionFile, healthFile, errorFile]
const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...wellKnownFiles] }))

function methodOf(service: string, name: string): DescMethod {
  const found = registry.getService(service)?.methods.find((method) => method.name === name)
  if (!found) throw new Error(`${service} has no ${name}.`) // It is made above.
  return found
}
export const reflectionMethod = methodOf(`${reflectionPackage}.ServerReflection`, 'ServerReflectionInfo')
export const healthCheck = methodOf(`${healthPackage}.Health`, 'Check')
export const healthWatch = methodOf(`${healthPackage}.Health`, 'Watch')

function messageNamed(name: string): DescMessage {
  const found = registry.getMessage(name)
  if (!found) throw new Error(`There is no ${name}.`) // It is made above.
  return found
}
/** In the details of a failed call: the code of docs/reference/errors.md, and what the log has it under. */
export const errorDetail = messageNamed('longhaul.v1.ErrorDetail')
