/** The exact search among the vectors of one subject. */
import { likenessTo, toUnitVector } from '../../kernel/index.ts'
import { failed } from '../failures.ts'

/** Less alike than that has nothing to do with it. */
const likenessMin = 0.2

export function toVector(numbers: readonly number[]): Buffer {
  const vector = toUnitVector(numbers)
  if (!vector) throw failed('bad_answer', 'An embedding must have numbers that are not all zero, and not too many.')
  return vector
}

/** Ids by cosine, the most alike first. Those of another dimension are left out. */
export function nearest(to: Buffer, among: readonly { id: string; embedding: Buffer }[], limit: number): string[] {
  const likenessOf = likenessTo(to)
  return among
    .map(({ id, embedding }) => ({ id, likeness: likenessOf(embedding) ?? -1 }))
    .filter(({ likeness }) => likeness >= likenessMin)
    .toSorted((one, other) => other.likeness - one.likeness)
    .slice(0, limit)
    .map(({ id }) => id)
}
