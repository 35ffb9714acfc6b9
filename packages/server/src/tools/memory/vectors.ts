/** Vectors of length one as bytes, and the exact search among those of one subject. */
import { failed } from '../failures.ts'

const dimensionsMax = 8_192
/** Less alike than that has nothing to do with it. */
const likenessMin = 0.2

export function toVector(numbers: readonly number[]): Buffer {
  const length = Math.hypot(...numbers)
  if (numbers.length === 0 || numbers.length > dimensionsMax || !Number.isFinite(length) || length === 0)
    throw failed('bad_answer', `An embedding must have 1 to ${dimensionsMax} numbers that are not all zero.`)
  return Buffer.from(Float32Array.from(numbers, (each) => each / length).buffer)
}

/** Ids by cosine, the most alike first. Those of another dimension are left out. */
export function nearest(to: Buffer, among: readonly { id: string; embedding: Buffer }[], limit: number): string[] {
  const wanted = floatsOf(to)
  return among
    .filter(({ embedding }) => embedding.length === to.length)
    .map(({ id, embedding }) => ({ id, likeness: dot(wanted, floatsOf(embedding)) }))
    .filter(({ likeness }) => likeness >= likenessMin)
    .toSorted((one, other) => other.likeness - one.likeness)
    .slice(0, limit)
    .map(({ id }) => id)
}

/** A copy where the bytes do not lie as the processor wants them. */
function floatsOf(bytes: Buffer): Float32Array {
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : Buffer.from(new Uint8Array(bytes).buffer)
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.length / 4)
}

function dot(one: Float32Array, other: Float32Array): number {
  let sum = 0
  for (let at = 0; at < one.length; at++) sum += (one[at] ?? 0) * (other[at] ?? 0)
  return sum
}
