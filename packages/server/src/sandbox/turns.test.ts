import { expect, test } from 'vitest'
import { createTurns } from './turns.ts'

const never = new AbortController().signal

test('as many as allowed hold a turn, the others get it in order', async () => {
  const turns = createTurns(2)
  const [first, second] = [await turns.take(never), await turns.take(never)]
  const order: number[] = []
  const waiting = [3, 4].map((number) => turns.take(never).then((release) => (order.push(number), release)))
  await Promise.resolve()
  expect(order).toEqual([])
  first()
  first() // Twice gives back once.
  const third = await waiting[0]
  expect(order).toEqual([3])
  second()
  third?.()
  ;(await waiting[1])?.()
  expect(order).toEqual([3, 4])
})

test("whoever gives up waiting leaves the row, and takes nobody's turn along", async () => {
  const turns = createTurns(1)
  const holder = await turns.take(never)
  const abort = new AbortController()
  const gaveUp = turns.take(abort.signal)
  const next = turns.take(never)
  abort.abort()
  await expect(gaveUp).rejects.toMatchObject({ failure: { code: 'cancelled' } })
  holder()
  ;(await next)()
  ;(await turns.take(never))()
  await expect(turns.take(abort.signal)).rejects.toMatchObject({ failure: { code: 'cancelled' } })
})
