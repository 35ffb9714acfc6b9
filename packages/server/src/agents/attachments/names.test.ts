import { expect, test } from 'vitest'
import { mediaTypeOf } from './sniff.ts'
import { fileNameOf, unusedName } from './names.ts'

test.each([
  ['figures.csv', 'figures.csv'],
  ['../../etc/passwd', 'passwd'],
  ['C:\\Users\\ada\\report.pdf', 'report.pdf'],
  ['.bashrc', 'bashrc'],
  ['-rf', 'rf'],
  ['..', 'file'],
  ['', 'file'],
  ['a\u202egpj.exe', 'agpj.exe'],
  ['line\nbreak\u0000\ud800.txt', 'linebreak\ufffd.txt'],
  ['季度报告.xlsx', '季度报告.xlsx'],
])('%j is called %j', (given, name) => {
  expect(fileNameOf(given)).toBe(name)
})

test('a name is cut at whole letters, and keeps its ending', () => {
  const name = fileNameOf(`${'报'.repeat(300)}.csv`)
  expect(Buffer.byteLength(name)).toBeLessThanOrEqual(200)
  expect(name).toMatch(/^报+\.csv$/)
})

test('no two files of a folder have one name, in whatever case', () => {
  expect(unusedName('data.csv', [])).toBe('data.csv')
  expect(unusedName('data.csv', ['DATA.csv', 'data-2.csv'])).toBe('data-3.csv')
  expect(unusedName('README', ['readme'])).toBe('README-2')
})

const bytes = (text: string) => Buffer.from(text, 'latin1')
test.each<[string, Buffer, string]>([
  ['photo.txt', bytes('\x89PNG\r\n\x1a\n....'), 'image/png'],
  ['photo.png', bytes('\xff\xd8\xff\xe0'), 'image/jpeg'],
  ['a', bytes('GIF89a'), 'image/gif'],
  ['a', bytes('RIFF....WEBPVP8 '), 'image/webp'],
  ['a', bytes('RIFF....WAVEfmt '), 'audio/wav'],
  ['a', bytes('ID3\x04'), 'audio/mpeg'],
  ['a.csv', bytes('%PDF-1.7'), 'application/pdf'],
  ['book.xlsx', bytes('PK\x03\x04'), 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet'],
  ['book.bin', bytes('PK\x03\x04'), 'application/zip'],
  ['a.csv', Buffer.from('größe,1'), 'text/csv'],
  ['fake.png', Buffer.from('no picture'), 'text/plain'],
  ['evil.svg', Buffer.from('<svg onload="alert(1)"/>'), 'text/plain'],
  ['evil.html', Buffer.from('<!doctype html><script></script>'), 'text/plain'],
  ['latin.csv', Buffer.from([0x67, 0x72, 0xf6, 0xdf, 0x65]), 'application/octet-stream'],
  ['zero.txt', Buffer.from('a\0b'), 'application/octet-stream'],
  ['cut.txt', Buffer.from(`${'a'.repeat(65_535)}ö`), 'text/plain'],
])('%s of these bytes is %s', (name, content, mediaType) => {
  expect(mediaTypeOf(content, name)).toBe(mediaType)
})
