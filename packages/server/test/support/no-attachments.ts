import type { Json } from '@longhaul/protocol'

/** For tests in which nobody sends files. */
export const noAttachments = {
  withAttachments: async (_: unknown, input: Json): Promise<Json> => input,
  usable: async () => [],
  read: async () => undefined,
}

/** For tests in which no run begins with a prompt of a tool server. */
export const noPrompts = { prompt: async () => Promise.reject(new Error('There are no prompts here.')) }
