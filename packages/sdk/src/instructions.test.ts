import { expect, test } from 'vitest'
import { userMessage } from './instructions.ts'

const file = { id: '0198c1f2-8a3e-7d41-9c4e-000000000001', name: 'figures.csv', mediaType: 'text/csv', bytes: 8, digest: 'ab' }

test('the files of a message follow its words, by reference', () => {
  expect(userMessage({ message: 'Sum it up.', attachments: [file] })).toEqual({
    role: 'user',
    content: [
      { type: 'text', text: 'Sum it up.' },
      { type: 'attachment', ...file },
    ],
  })
})

test('what an input of another kind has under attachments is no file', () => {
  const { id: _id, ...nameless } = file
  for (const attachments of ['figures.csv', [file.id], [nameless], [{ ...file, bytes: -1 }], [{ ...file, id: '../x' }], null])
    expect(userMessage({ message: 'x', attachments }).content).toEqual([{ type: 'text', text: 'x' }])
})
