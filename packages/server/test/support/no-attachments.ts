import type { Json } from '@longhaul/protocol'

/** For tests in which nobody sends files. */
export const noAttachments = {
  withAttachments: async (_: unknown, input: Json): Promise<Json> => input,
  usable: async () => [],
  read: async () => undefined,
}
