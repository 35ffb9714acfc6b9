import { z } from 'zod'

const bytes = (max: number) => z.number().int().min(1_000_000).max(max)

export const SandboxLimitsInput = z.strictObject({
  memoryBytesMax: bytes(64e9).optional(),
  processCountMax: z.number().int().min(8).max(10_000).optional(),
  diskBytesMax: bytes(1e12).optional(),
  fileCountMax: z.number().int().min(100).max(10_000_000).optional(),
})
