export { openWorkers } from './workers.ts'
export type { VersionPlace, Workers, WorkersOptions } from './workers.ts'
export type { Hello } from './worker-process.ts'
