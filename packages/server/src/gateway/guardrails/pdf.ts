/** Texts of PDF files. Each file is read by a process of its own, so that none can harm the server or see another. */
import { createHash } from 'node:crypto'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { type Program, after, startProgram } from '../../kernel/index.ts'
import { type PdfLimits, type PdfReply, pdfGaps } from './pdf-reply.ts'

export type PdfReader = {
  /** What cannot be read has no text, and a `gap` that says why. Rejects only where the library is missing: then nothing is called. */
  read(bytes: Buffer): Promise<PdfReply>
  /** Ends all processes. */
  stop(): Promise<void>
}

export type PdfReaderOptions = Partial<PdfLimits & ProcessLimits & { bytesMax: number; processesMax: number; waitingMax: number }>
/** Of its processor, and in all, which is longer on a machine that is busy. */
type ProcessLimits = { workSecondsMax: number; timeMsMax: number }

const usual = {
  bytesMax: 10_000_000,
  workSecondsMax: 10,
  timeMsMax: 30_000,
  pagesMax: 500,
  /** As long as a text file may be. */
  charactersMax: 1_000_000,
  /** Of what is unpacked, in all. */
  memoryBytesMax: 200_000_000,
  processesMax: 2,
  /** Each for some seconds at worst. */
  waitingMax: 8,
}
/** Conversations bring their files again with each message. */
const keptCharactersMax = 8_000_000

export function openPdfReader(options: PdfReaderOptions = {}): PdfReader {
  const { bytesMax, workSecondsMax, timeMsMax, processesMax, waitingMax, ...limits } = { ...usual, ...options }
  const waiting: (() => void)[] = []
  const underWay = new Set<Reading>()
  /** Those under way have no characters yet. */
  const kept = new Map<string, { reading: Promise<PdfReply>; characters: number }>()
  let keptCharacters = 0
  let isStopped = false

  async function readNow(bytes: Buffer): Promise<PdfReply> {
    if (underWay.size >= processesMax) {
      if (waiting.length >= waitingMax) return { text: '', gap: 'nobody free to read it' }
      await new Promise<void>((resolve) => waiting.push(resolve))
    }
    if (isStopped) return { text: '', gap: 'nobody free to read it' }
    let reading: Reading | undefined
    try {
      reading = readInProcess(bytes, limits, { workSecondsMax, timeMsMax })
      underWay.add(reading)
      return await reading.reply
    } finally {
      if (reading) underWay.delete(reading)
      waiting.shift()?.()
    }
  }

  function keep(key: string, reading: Promise<PdfReply>): void {
    const entry = { reading, characters: 0 }
    kept.set(key, entry)
    const forget = () => void kept.delete(key)
    reading.then(({ text, gap }) => {
      if (kept.get(key) !== entry) return
      // What depends on the hour is tried again.
      if (gap === 'nobody free to read it' || gap === 'too slow') return forget()
      entry.characters = text.length + 1_000
      keptCharacters += entry.characters
      for (const [oldest, { characters }] of kept) {
        if (keptCharacters <= keptCharactersMax) break
        kept.delete(oldest)
        keptCharacters -= characters
      }
    }, forget)
  }

  return {
    async read(bytes) {
      if (bytes.length > bytesMax) return { text: '', gap: 'too large' }
      const key = createHash('sha256').update(bytes).digest('base64')
      const known = kept.get(key)
      if (known) return known.reading
      const reading = readNow(bytes)
      keep(key, reading)
      return reading
    },
    async stop() {
      isStopped = true
      for (const resume of waiting.splice(0)) resume()
      for (const { end } of underWay) end()
      await Promise.all([...underWay].map(({ reply }) => reply))
    },
  }
}

const Reply = z.object({ text: z.string(), gap: z.enum(pdfGaps).optional() })

type Reading = { reply: Promise<PdfReply>; end(): void }

/** `sh` takes away core dumps and bounds processor time and memory where Node cannot. */
function readInProcess(bytes: Buffer, limits: PdfLimits, { workSecondsMax, timeMsMax }: ProcessLimits): Reading {
  const bounds = `ulimit -c 0; ulimit -S -t ${workSecondsMax}; ulimit -d ${dataKilobytesMax}; exec "$@"`
  const args = ['-c', bounds, 'sh', process.execPath, ...nodeOptions(), mainFile, JSON.stringify(limits)]
  const starting = startProgram('/bin/sh', args, { env: {}, cwd: '/', stdio: ['pipe', 'pipe', 'ignore'] })
  const end = () =>
    starting.then(
      (program) => program.kill(),
      () => {}, // It is not there.
    )
  let isSlow = false
  const cancel = after(timeMsMax, () => {
    isSlow = true
    void end()
  })
  const reply = starting.then(
    async (program): Promise<PdfReply> => {
      const said = collect(program, bytes, limits)
      const { code, signal } = await program.closed
      if (isSlow) return { text: '', gap: 'too slow' }
      if (signal !== null) return { text: '', gap: signal === 'SIGXCPU' ? 'too slow' : 'too much memory' }
      return code === 0 ? readReply(said()) : { text: '', gap: 'broken' }
    },
    (): PdfReply => ({ text: '', gap: 'nobody free to read it' }), // The machine has no process left.
  )
  return { reply: reply.finally(cancel), end: () => void end() }
}

/** Gives it the file. What it says is known when it has ended, which it is made to when it says too much. */
function collect(program: Program, bytes: Buffer, { charactersMax }: PdfLimits): () => string {
  const bytesMax = charactersMax * 6 + 1_000 // A character may be written as six.
  const pieces: Buffer[] = []
  let length = 0
  program.stream(0).on('error', () => {}) // It ended before it had read all: what it said counts.
  program.stream(0).end(bytes)
  program.stream(1).on('data', (piece: Buffer) => {
    length += piece.length
    if (length > bytesMax) program.kill()
    else pieces.push(piece)
  })
  return () => Buffer.concat(pieces).toString()
}

function readReply(text: string): PdfReply {
  try {
    const { text: read, gap } = Reply.parse(JSON.parse(text))
    return { text: read, gap }
  } catch {
    return { text: '', gap: 'broken' } // It was led astray by what it read.
  }
}

const dataKilobytesMax = 1_500_000
const mainFile = fileURLToPath(new URL('./pdf-main.ts', import.meta.url))

/** Exported for its test. */
export function nodeOptions(): string[] {
  const library = createRequire(import.meta.url).resolve('unpdf')
  return [
    '--permission',
    `--allow-fs-read=${library.slice(0, library.lastIndexOf('/node_modules/') + '/node_modules/'.length)}*`,
    `--allow-fs-read=${dirname(mainFile)}/*`,
    '--max-old-space-size=256',
    '--max-semi-space-size=8',
    '--no-warnings',
    '--disallow-code-generation-from-strings',
  ]
}
