import type { SandboxLimits } from './driver.ts'

export const defaultLimits: SandboxLimits = {
  memoryBytesMax: 512 * 1024 * 1024,
  processCountMax: 256,
  diskBytesMax: 1024 * 1024 * 1024,
  fileCountMax: 100_000,
  outputBytesMax: 256 * 1024,
}

/** Of one `files` request, either way. */
export const transferBytesMax = 32 * 1024 * 1024
/** Entries in one listing; what lies beyond is left out. */
export const listEntriesMax = 10_000
/** Of a command's program, arguments, environment and stdin together. */
export const commandBytesMax = 4 * 1024 * 1024
/** Commands that run at once in one sandbox; others wait for their turn. */
export const commandsAtOnceMax = 8
