/** Vectors of length one as bytes: 32-bit floats, the least significant byte first. Pure. */

const dimensionsMax = 8_192

/** Undefined when it has none or too many numbers, or all of them are zero. */
export function toUnitVector(numbers: readonly number[]): Buffer | undefined {
  const length = Math.hypot(...numbers)
  if (numbers.length === 0 || numbers.length > dimensionsMax || !Number.isFinite(length) || length === 0) return undefined
  return Buffer.from(Float32Array.from(numbers, (each) => each / length).buffer)
}

/** The cosine to each of the others, from -1 to 1; undefined where the dimension is another. */
export function likenessTo(to: Buffer): (other: Buffer) => number | undefined {
  const wanted = floatsOf(to)
  return (other) => (other.length === to.length ? dot(wanted, floatsOf(other)) : undefined)
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
