import { expect, test } from 'vitest'
import { plainOutput } from './plain-output.ts'

test('colours and titles are taken out, and a line that was written over is as it was last', () => {
  expect(plainOutput('\u001b[31mred\u001b[0m \u001b]0;title\u0007done')).toBe('red done')
  expect(plainOutput('10 %\r50 %\r100 %\nnext\r\nlast\r')).toBe('100 %\nnext\nlast')
  expect(plainOutput('plain\n\ntext')).toBe('plain\n\ntext')
})
