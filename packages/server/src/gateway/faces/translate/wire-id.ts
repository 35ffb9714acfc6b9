import { createHash } from 'node:crypto'

/** Some servers give out ids of calls that others refuse (`functions.query:0`). Such a one is replaced by one that everybody takes, always the same. */
export function wireId(id: string): string {
  return /^[a-zA-Z0-9_-]{1,64}$/.test(id) ? id : `call_${createHash('sha256').update(id).digest('hex').slice(0, 24)}`
}
