import { randomFillSync } from 'node:crypto'

const pool = Buffer.alloc(16 * 256)
let used = pool.length
let lastMs = 0
let count = 0

/**
 * A UUIDv7 (RFC 9562): the millisecond of its making, a counter within it, and 62 random bits. Those of one process sort in the order of their
 * making (section 6.2, method 1), unless its clock is set back by more than a second.
 */
export function newId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const bytes = pool.subarray(used, (used += 16))
  const now = Date.now()
  if (now > lastMs || now < lastMs - 1_000) {
    lastMs = now
    count = bytes.readUInt16BE(6) & 0x7ff // Half of the counter is left for those that follow.
  } else if (++count > 0xfff) {
    lastMs++
    count = 0
  }
  bytes.writeUIntBE(lastMs, 0, 6)
  bytes.writeUInt16BE(0x7000 | count, 6)
  bytes[8] = (bytes[8]! & 0x3f) | 0x80 // Indexes within 16 bytes always exist.
  const hex = bytes.toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}
