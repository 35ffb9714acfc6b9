/** Tools that every agent may have: a shell, files, Python and a browser in the run's sandbox, and the time. */
import type { ExecResult } from '@longhaul/protocol'
import { z } from 'zod'
import { type StockTool, type Tool, TerminalFailure, tool } from './agent.ts'
import { browser } from './browser.ts'

const execTimeoutMs = 120_000
const readBytesMax = 200_000
const listedMax = 1_000
/** Of stdout and stderr each; the loop cuts once more what is too long together. */
const streamLengthMax = 30_000

const path = z.string().min(1).max(4_096).describe('Path below /workspace, for example "notes/a.txt"')

const bash = tool({
  description: 'Runs a shell script in the sandbox, in /workspace. Gives its output and exit code. Every call is a shell of its own; files stay.',
  effect: 'none', // Outside the sandbox.
  input: z.strictObject({ script: z.string().min(1).max(200_000).describe('The script, for example "ls -la && cat notes.txt"') }),
  timeoutMs: execTimeoutMs + 30_000,
  run: async ({ script }, ctx) => describeExec(await ctx.sandbox.exec({ script, timeoutMs: execTimeoutMs })),
})

const python = tool({
  description: 'Runs Python code in the sandbox, in /workspace. Only what it prints is given back. Every call is an interpreter of its own; files stay.',
  effect: 'none', // Outside the sandbox.
  input: z.strictObject({ code: z.string().min(1).max(200_000).describe('The code. Print what you need to see.') }),
  timeoutMs: execTimeoutMs + 30_000,
  run: async ({ code }, ctx) => describeExec(await ctx.sandbox.exec({ cmd: 'python3', args: ['-'], stdin: code, timeoutMs: execTimeoutMs })),
})

const readFile = tool({
  description: 'Reads a text file of the sandbox.',
  effect: 'none', // Outside the sandbox.
  input: z.strictObject({ path }),
  run: async ({ path }, ctx) => {
    const bytes = await ctx.sandbox.readFile(path, readBytesMax + 1)
    if (bytes.includes(0)) throw new TerminalFailure(`${path} is not a text file.`)
    const text = new TextDecoder().decode(bytes.subarray(0, readBytesMax))
    return bytes.length > readBytesMax ? `${text}\n[The file goes on after ${readBytesMax} bytes. Use bash with sed or tail to see more.]` : text
  },
})

const writeFile = tool({
  description: 'Writes a text file in the sandbox, with the folders above it. Replaces what was there.',
  effect: 'none', // Outside the sandbox.
  input: z.strictObject({ path, content: z.string().max(1_000_000) }),
  run: async ({ path, content }, ctx) => {
    await ctx.sandbox.writeFiles([{ path, content }])
    return `Wrote ${Buffer.byteLength(content)} bytes to ${path}.`
  },
})

const listFiles = tool({
  description: 'Lists a folder of the sandbox: folders end with "/", files come with their size in bytes.',
  effect: 'none', // Outside the sandbox.
  input: z.strictObject({ path: path.default('.').describe('Folder below /workspace; without it /workspace itself') }),
  run: async ({ path }, ctx) => {
    const entries = await ctx.sandbox.list(path)
    if (entries.length === 0) return `${path} is empty.`
    const lines = entries.slice(0, listedMax).map(({ name, type, bytes }) => (type === 'directory' ? `${name}/` : `${name} ${bytes}`))
    return [...lines, ...(entries.length > listedMax ? [`[${entries.length - listedMax} more are left out. Use bash with find to see them.]`] : [])].join('\n')
  },
})

/** The prompt has the date on which the run began, which may be days ago. */
const time = tool({
  description: 'Tells the time now, in UTC and in a time zone.',
  effect: 'none',
  input: z.strictObject({ zone: z.string().max(64).default('UTC').describe('An IANA time zone, for example "Asia/Shanghai"') }),
  run: ({ zone }) => {
    const now = new Date()
    try {
      const local = new Intl.DateTimeFormat('en-GB', { timeZone: zone, dateStyle: 'full', timeStyle: 'long' }).format(now)
      return { utc: now.toISOString(), zone, local }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error
      throw new TerminalFailure(`There is no time zone ${JSON.stringify(zone)}. Use an IANA name such as "Europe/Berlin".`)
    }
  },
})

export const stockTools: Record<StockTool, Tool> = { bash, read_file: readFile, write_file: writeFile, list_files: listFiles, python, browser, time }

/** What a person would see in a terminal, and how it ended where that is not plain. */
export function describeExec({ exitCode, signal, stdout, stderr, isTruncated, isTimedOut }: ExecResult): string {
  const notes = [
    isTimedOut ? `[It was stopped after ${execTimeoutMs / 1_000} s.]` : undefined,
    isTruncated ? '[The output was longer than the sandbox keeps; its end is missing.]' : undefined,
    `[exit code ${exitCode ?? `none, ended by ${signal ?? 'a signal'}`}]`,
  ]
  const streams = [shorten(stdout), stderr.trim() === '' ? '' : `[stderr]\n${shorten(stderr)}`]
  return [...streams, ...notes].flatMap((part) => part?.trimEnd() || []).join('\n')
}

function shorten(text: string): string {
  if (text.length <= streamLengthMax) return text
  const half = streamLengthMax / 2
  return `${text.slice(0, half)}\n[${text.length - streamLengthMax} characters are left out here]\n${text.slice(-half)}`.toWellFormed()
}
