import { toProblem } from '../api/errors.ts'

/** Does the same to many things, four at a time, and gives what was told where it did not work out. */
export async function eachInTurn<Item>(items: readonly Item[], act: (item: Item) => Promise<unknown>): Promise<string[]> {
  const waiting = [...items].toReversed()
  const problems: string[] = []
  const one = async () => {
    for (let item = waiting.pop(); item !== undefined; item = waiting.pop()) {
      try {
        await act(item)
      } catch (error) {
        problems.push(toProblem(error).message)
      }
    }
  }
  await Promise.all([one(), one(), one(), one()])
  return problems
}
