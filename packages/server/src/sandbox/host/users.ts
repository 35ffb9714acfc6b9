import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'

/** Numbers that sandboxes' users get when the server is root: each workspace a user of its own, who owns nothing else on this host. */
export type UserRange = { first: number; count: number }

/** Between what systemd gives to containers and what does not fit into a signed number: used by nobody. */
const preferred: UserRange = { first: 0x7000_0000, count: 0x0fff_0000 }

/** The range to take users from, within those that exist in the server's own user namespace. */
export function userRange(uidMap = readFileSync('/proc/self/uid_map', 'utf8')): UserRange | undefined {
  const mapped = uidMap
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number))
    .map(([first = 0, , count = 0]) => ({ first, count }))
  const last = preferred.first + preferred.count
  if (mapped.some(({ first, count }) => first <= preferred.first && first + count >= last)) return preferred
  const largest = mapped.toSorted((a, b) => b.count - a.count)[0]
  if (!largest || largest.count < 2_048) return undefined
  // The upper half of what a container was given, below 65534, which is nobody's.
  const end = largest.first + largest.count
  const half = largest.first + Math.floor(largest.count / 2)
  return { first: half, count: Math.min(end, end > 65_534 && half < 65_534 ? 65_534 : end) - half }
}

/** A user for a new workspace: the same one for the same name, the next free one when another workspace has it. */
export function chooseUser({ first, count }: UserRange, name: string, taken: ReadonlySet<number>): number {
  const start = createHash('sha256').update(name).digest().readUInt32BE(0) % count
  for (let i = 0; i < count; i++) {
    const user = first + ((start + i) % count)
    if (!taken.has(user)) return user
  }
  throw new Error(`All ${count} users for sandboxes are taken.`)
}
