import type { Json } from '@longhaul/protocol'

/** What somebody wrote as JSON, or what is wrong with it. */
export function parseJson(text: string): { value: Json } | { message: string } {
  try {
    return { value: JSON.parse(text) as Json } // What JSON.parse gives is JSON.
  } catch (error) {
    return { message: error instanceof Error ? error.message : String(error) }
  }
}
