import { expect, test } from 'vitest'
import { cardAfter } from './card-keys.ts'

const press = (key: string, more: Partial<Parameters<typeof cardAfter>[0]> = {}) => ({
  key,
  altKey: false,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  ...more,
})

test.each<[string, string, number, number | undefined]>([
  ['j begins with the first card', 'j', -1, 0],
  ['k begins with the last one', 'k', -1, 2],
  ['j goes down', 'j', 0, 1],
  ['k goes up', 'k', 2, 1],
  ['j stays with the last one', 'j', 2, 2],
  ['k stays with the first one', 'k', 0, 0],
  ['arrows go on from a card', 'ArrowDown', 1, 2],
  ['arrows go back from a card', 'ArrowUp', 1, 0],
  ['an arrow scrolls the page when no card has the focus', 'ArrowDown', -1, undefined],
  ['other keys are about something else', 'x', 1, undefined],
])('%s', (_, key, at, to) => {
  expect(cardAfter(press(key), at, 3)).toBe(to)
})

test('nothing moves where there is no card, or with a key held that makes it another one', () => {
  expect(cardAfter(press('j'), -1, 0)).toBeUndefined()
  for (const held of ['altKey', 'ctrlKey', 'metaKey', 'shiftKey']) expect(cardAfter(press('j', { [held]: true }), 0, 3)).toBeUndefined()
})
