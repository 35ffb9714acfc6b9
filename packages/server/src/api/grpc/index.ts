export { listenGrpc } from './grpc.ts'
export type { Grpc, GrpcOptions } from './grpc.ts'
