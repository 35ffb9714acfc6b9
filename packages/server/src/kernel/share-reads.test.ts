import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { shareReads } from './share-reads.ts'

/** Reads that end when the test says so, each with the value of the moment at which it began. */
function scripted() {
  let value = 0
  const reads: { key: string; end(error?: Error): void }[] = []
  const ask = shareReads(
    (key) =>
      new Promise<number>((resolve, reject) => {
        const began = value
        reads.push({ key, end: (error) => (error ? reject(error) : resolve(began)) })
      }),
  )
  return { ask, reads, set: (next: number) => (value = next) }
}

test('Whoever asks while a read is under way shares the next one, which knows of what happened before they asked', async () => {
  const { ask, reads, set } = scripted()
  const first = ask('a')
  set(1)
  const others = [ask('a'), ask('a'), ask('a')]
  expect(reads).toHaveLength(1)
  reads[0]!.end()
  expect(await first).toBe(0)
  await turn()
  expect(reads).toHaveLength(2)
  set(2)
  const late = ask('a')
  reads[1]!.end()
  expect(await Promise.all(others)).toEqual([1, 1, 1])
  await turn()
  reads[2]!.end()
  expect(await late).toBe(2)
  await turn()
  void ask('a')
  expect(reads).toHaveLength(4)
})

test('A read that fails fails for those who share it, and for nobody else; another key waits for none', async () => {
  const { ask, reads } = scripted()
  const first = ask('a')
  const second = ask('a')
  const other = ask('b')
  expect(reads.map(({ key }) => key)).toEqual(['a', 'b'])
  reads[1]!.end()
  expect(await other).toBe(0)
  reads[0]!.end(new Error('away'))
  await expect(first).rejects.toThrow('away')
  await turn()
  reads[2]!.end()
  expect(await second).toBe(0)
})
