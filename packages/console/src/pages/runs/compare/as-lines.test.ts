import { expect, test } from 'vitest'
import { asLines } from './as-lines.ts'

test('answers that differ in nothing but where their files are stored read the same', () => {
  const answer = (fileId: string, total: number) => ({
    text: 'In total 12.',
    model: 'm',
    usage: { input: 1, cachedInput: 0, output: 1, costUsd: null },
    parts: [
      { type: 'file', fileId, name: 'arr.svg', mediaType: 'image/svg+xml', bytes: 10 },
      { type: 'table', title: 'ARR', rowCount: 1, columns: [{ name: 'arr', type: 'number' }], rows: [[total]] },
    ],
  })
  const first = asLines(answer('0197a4c2-7d30-7cc1-9b1e-52a3a5f0c0de', 12))
  expect(asLines(answer('0198a4c2-7d30-7cc1-9b1e-52a3a5f0c0de', 12))).toBe(first)
  expect(asLines(answer('0198a4c2-7d30-7cc1-9b1e-52a3a5f0c0de', 13))).not.toBe(first)
  expect(first).toBe('In total 12.\n\narr.svg (image/svg+xml)\n\nARR\narr\n12')
})

test('a prompt is its instructions and messages line by line, and texts in JSON have their line breaks', () => {
  const prompt = { model: 'm', instructions: 'One.\nTwo.', tools: [], messages: [{ role: 'user', content: [{ type: 'text', text: 'Why?' }] }] }
  expect(asLines(prompt).split('\n')).toEqual(['model: m', 'tools: ', '', '[instructions]', 'One.', 'Two.', '', '[user]', 'Why?'])
  expect(asLines({ script: 'a\nb' })).toBe('{\n  "script": "a\nb"\n}')
  expect(asLines(null)).toBe('')
})
