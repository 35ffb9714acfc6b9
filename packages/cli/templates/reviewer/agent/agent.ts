import { agent } from '@longhaul/sdk'
import { z } from 'zod'

export default agent({
  description: 'Reviews a diff, and answers with findings that name file and line.',
  stockTools: [],
  turnsMax: 6,
  output: z.object({
    verdict: z.enum(['approve', 'request_changes']),
    summary: z.string().max(1_000).describe('What the change does, and what matters about it, in at most three sentences'),
    findings: z
      .array(
        z.object({
          file: z.string().max(500),
          line: z.number().int().min(1).describe('The number that stands before the line'),
          severity: z.enum(['bug', 'security', 'risk', 'style']),
          why: z.string().max(2_000).describe('What goes wrong, with an input or a situation in which it does'),
          suggestion: z.string().max(2_000).optional(),
        }),
      )
      .max(50),
  }),
})
