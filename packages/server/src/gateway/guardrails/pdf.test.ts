/** PDF files as people write them are read; those of an attacker end, with why, and harm nobody. */
import { randomBytes } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import { afterAll, describe, expect, test } from 'vitest'
import { helvetica, packedStream, pdfFile, pdfOf, pdfPage, pdfStream, showing } from '../../../test/support/pdf.ts'
import { nodeOptions, openPdfReader } from './pdf.ts'

// Slow machines read slowly: only what never ends is to end by time.
const reader = openPdfReader({ workSecondsMax: 60, timeMsMax: 120_000 })
afterAll(() => reader.stop())

const catalog = '<< /Type /Catalog /Pages 2 0 R >>'
const text = pdfStream(showing('Hello'))
const page = '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>'

describe('what is read', () => {
  test('lines, as lines', async () => {
    expect(await reader.read(pdfOf('Ann Lee\nann@x.example (private)'))).toEqual({ text: 'Ann Lee\nann@x.example (private)', gap: undefined })
  })

  test('several pages', async () => {
    const pages = '<< /Type /Pages /Kids [3 0 R 3 0 R] /Count 2 >>'
    expect(await reader.read(pdfFile([catalog, pages, page, text, helvetica]))).toEqual({ text: 'Hello\nHello', gap: undefined })
  })

  test('what lies beyond the borders of a page', async () => {
    const beyond = pdfStream('BT /F1 12 Tf 72 700 Td (Hello) Tj 0 -2000 Td [(ann@x) -20 (.example) -300 (too)] TJ ET')
    expect((await reader.read(pdfPage(beyond))).text).toContain('ann@x.example too')
  })

  test('notes, fields of forms, and what the file says of itself', async () => {
    const note = '<< /Type /Annot /Subtype /Text /Rect [0 0 9 9] /Contents (a note) >>'
    const field = '<< /Type /Annot /Subtype /Widget /FT /Tx /T (mail) /V (a value) /Rect [0 0 9 9] >>'
    const objects = [note, field, '<< /Title (A title) /Author (Ann) /CreationDate (D:20260101000000) >>']
    const read = await reader.read(pdfPage(text, { page: '/Annots [6 0 R 7 0 R]', objects, trailer: '/Info 8 0 R' }))
    expect(read).toEqual({ text: 'A title\nAnn\nHello\na note\na value', gap: undefined })
  })
})

describe('what has more than its text says so', () => {
  const picture = '<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8'
  const song =
    '<< /Type /Font /Subtype /Type0 /BaseFont /STSong-Light /Encoding /GBK-EUC-H /DescendantFonts [<< /Type /Font /Subtype /CIDFontType0 /BaseFont /STSong-Light /CIDSystemInfo << /Registry (Adobe) /Ordering (GB1) /Supplement 2 >> /FontDescriptor << /Type /FontDescriptor /FontName /STSong-Light /Flags 6 >> >>] >>'
  const enclosed = '<< /Type /Catalog /Pages 2 0 R /Names << /EmbeddedFiles << /Names [(a.txt) 6 0 R] >> >> >>'
  test.each<[string, Buffer, object]>([
    ['a picture', pdfPage(text, { objects: [pdfStream('x', `${picture.slice(2)} `)] }), { text: 'Hello', gap: 'with pictures or pages without a text' }],
    [
      'a picture whose name is written with an escape',
      pdfPage(text, { objects: [pdfStream('x', '/Subtype % a remark\n /Im#61ge /Width 1 /Height 1')] }),
      { text: 'Hello', gap: 'with pictures or pages without a text' },
    ],
    ['a page without a text', pdfPage(pdfStream('0 0 m 9 9 l S')), { text: '', gap: 'with pictures or pages without a text' }],
    [
      'letters that only a table outside of the file explains',
      pdfPage(pdfStream('BT /F1 12 Tf 72 700 Td <d6d0cec4> Tj ET'), { font: song }),
      { gap: 'with unknown letters' },
    ],
    [
      'a file within',
      pdfFile([
        enclosed,
        '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
        page,
        text,
        helvetica,
        '<< /Type /Filespec /F (a.txt) /EF << /F 7 0 R >> >>',
        pdfStream('x'),
      ]),
      { text: 'Hello', gap: 'with files in it' },
    ],
    [
      'a password',
      pdfPage(text, {
        objects: [`<< /Filter /Standard /V 2 /R 3 /Length 128 /P -44 /O <${'41'.repeat(32)}> /U <${'42'.repeat(32)}> >>`],
        trailer: '/Encrypt 6 0 R /ID [<41> <41>]',
      }),
      { text: '', gap: 'encrypted' },
    ],
  ])('%s', async (_, bytes, expected) => expect(await reader.read(bytes)).toMatchObject(expected))
})

describe('what harms', () => {
  const kids = (ids: string, count: number) => [catalog, `<< /Type /Pages /Kids [${ids}] /Count ${count} >>`]
  test.each<[string, () => Buffer, object]>([
    ['nothing of a PDF', () => Buffer.from('%PDF-1.7\nnonsense '.repeat(20)), { gap: 'broken' }],
    ['random bytes', () => Buffer.concat([Buffer.from('%PDF-1.7\n'), randomBytes(100_000)]), { gap: 'broken' }],
    ['half of a file', () => pdfOf('Hello').subarray(0, 200), { gap: 'broken' }],
    ['a stream that unpacks to 250 MB', () => pdfPage(packedStream(Buffer.alloc(250_000_000, ' '))), { gap: 'too much memory' }],
    ['one that was packed twice', () => pdfPage(packedStream(Buffer.alloc(300_000_000, ' '), 2)), { text: '', gap: expect.any(String) }],
    ['lists that are nested three million deep', () => pdfPage(pdfStream('['.repeat(3_000_000))), { text: '', gap: expect.any(String) }],
    [
      'objects that are nested 200,000 deep, beside a page',
      () => pdfPage(text, { objects: [`${'<< /A '.repeat(200_000)}1${' >>'.repeat(200_000)}`], trailer: '/Info 6 0 R' }),
      { text: 'Hello' },
    ],
    ['pages that contain themselves', () => pdfFile(kids('2 0 R 2 0 R', 400)), { text: '', gap: expect.any(String) }],
    ['a hundred thousand pages', () => pdfFile([...kids('3 0 R '.repeat(100_000), 100_000), page, text, helvetica]), { gap: 'too many pages' }],
    [
      'a form that shows itself',
      () =>
        pdfPage(pdfStream('/X Do'), {
          page: '/Resources << /XObject << /X 6 0 R >> >>',
          objects: [pdfStream('/X Do /X Do', '/Subtype /Form /BBox [0 0 9 9]')],
        }),
      { text: '', gap: expect.any(String) },
    ],
    ['two million letters', () => pdfPage(packedStream(showing(`${'x'.repeat(100)}\n`.repeat(20_000)))), { text: '', gap: 'too long' }],
    ['a file of eleven megabytes', () => Buffer.concat([pdfOf('Hello'), Buffer.alloc(11_000_000)]), { text: '', gap: 'too large' }],
  ])('%s', { timeout: 120_000 }, async (_, make, expected) => expect(await reader.read(make())).toMatchObject(expected))

  test('work without end is ended by what it takes of the processor', { timeout: 120_000 }, async () => {
    const lazy = openPdfReader({ workSecondsMax: 2, timeMsMax: 120_000 })
    expect(await lazy.read(pdfPage(packedStream('BT /F1 1 Tf (a) Tj ET\n'.repeat(4_000_000))))).toEqual({ text: '', gap: 'too slow' })
    await lazy.stop()
  })

  test('and by the clock, and the next file is read', { timeout: 120_000 }, async () => {
    const hasty = openPdfReader({ timeMsMax: 3_000, processesMax: 1, waitingMax: 1 })
    const endless = (letter: string) => pdfPage(packedStream(`BT /F1 1 Tf (${letter}) Tj ET\n`.repeat(4_000_000)))
    const [first, second] = [endless('a'), endless('b')]
    const readings = [first, second, pdfOf('Third')].map((bytes) => hasty.read(bytes))
    expect(await Promise.all(readings)).toEqual([
      { text: '', gap: 'too slow' },
      { text: '', gap: 'too slow' },
      { text: '', gap: 'nobody free to read it' },
    ])
    await hasty.stop()
    expect(await hasty.read(pdfOf('Fourth'))).toMatchObject({ gap: 'nobody free to read it' })
  })
})

test('the process that reads a PDF reaches no file, no program and makes no code of text', () => {
  const tries = [
    "fs.readFileSync('/etc/passwd')",
    "fs.writeFileSync('/dev/null', '')",
    "child_process.spawnSync('true')",
    "new worker_threads.Worker('1', { eval: true })",
    "eval('1')",
  ]
  const tried = (options: string[]) =>
    tries.map((what) => {
      const program = `try { ${what}; console.log('done') } catch (error) { console.log(error.code ?? error.name) }`
      return spawnSync(process.execPath, [...options, '-e', program], { env: {}, encoding: 'utf8' }).stdout.trim()
    })
  expect(tried([])).toEqual(tries.map(() => 'done'))
  expect(tried(nodeOptions())).toEqual(['ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'ERR_ACCESS_DENIED', 'EvalError'])
})

test('a file that comes again is not read again', async () => {
  const bytes = pdfOf('Once')
  const [first, second] = [reader.read(bytes), reader.read(Buffer.from(bytes))]
  expect(await second).toBe(await first)
})
