import { z } from 'zod'

/** How a sender proves who it is. `gitlab` sends a token and signs nothing; where GitLab signs, it does so as Standard Webhooks says. */
export const hookSchemes = ['standard', 'github', 'gitlab', 'slack', 'stripe', 'hmac'] as const
export const HookScheme = z.enum(hookSchemes)
export type HookScheme = z.infer<typeof HookScheme>

/** A place in a payload (RFC 6901): `/data/id`. Empty: all of it. */
export const JsonPointer = z
  .string()
  .max(500)
  .regex(/^(\/([^~/]|~[01])*)*$/, 'must be a JSON pointer such as /data/id, or empty for the whole payload')
