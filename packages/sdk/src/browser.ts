/** The stock tool `browser`: Chromium in the run's sandbox, through the way out that the agent declares. */
import { z } from 'zod'
import { TerminalFailure, tool } from './agent.ts'
import { browserProgram } from './browser-program.ts'

const execTimeoutMs = 150_000
const pageMs = 15_000
const textLengthMax = 30_000
const screenshotBytesMax = 8_000_000

const target = z.string().min(1).max(500)
const Action = z.union([
  z.strictObject({ click: target.describe('A selector such as "#buy", or what a link or button says') }),
  z.strictObject({
    into: target.describe('A field: a selector, its label, placeholder or name'),
    text: z.string().max(20_000).describe('Replaces what is in it'),
  }),
  z.strictObject({ press: z.enum(['Enter', 'Escape', 'Tab']) }),
])
const Page = z.union([
  z.object({ problem: z.string() }),
  z.object({ url: z.string(), title: z.string(), text: z.string(), status: z.number().nullable(), isCut: z.boolean(), screenshot: z.string().nullable() }),
])

export const browser = tool({
  description:
    'Opens a page in a browser and gives what it shows, as Markdown with links and fields. With actions it clicks and types first, in their order. Every call begins with the address anew; cookies stay. Only hosts that this agent declares can be reached.',
  effect: 'write', // What a click sends is the page's business.
  isOutside: true,
  input: z.strictObject({
    url: z
      .string()
      .max(4_000)
      .regex(/^https?:\/\//, 'must begin with http:// or https://'),
    actions: z.array(Action).max(30).default([]),
    screenshot: z.boolean().default(false).describe('Show the person what the page looks like at the end'),
  }),
  timeoutMs: execTimeoutMs + 30_000,
  async run({ url, actions, screenshot }, ctx) {
    const asked = JSON.stringify({ url, actions, screenshot, textLengthMax, pageMs })
    const { stdout, stderr, isTimedOut, exitCode } = await ctx.sandbox.exec({
      cmd: 'node',
      args: ['--input-type=module', '-', asked],
      stdin: browserProgram,
      timeoutMs: execTimeoutMs,
    })
    const page = Page.safeParse(parse(stdout))
    if (!page.success)
      throw new TerminalFailure(
        isTimedOut
          ? `The page took longer than ${execTimeoutMs / 1_000} s.`
          : `No browser can be run in this sandbox (exit code ${exitCode ?? 'none'}): ${stderr.trim().split('\n').at(-1)?.slice(0, 500) ?? ''}. It needs the driver bwrap and Chromium: apt-get install bubblewrap chromium.`,
      )
    if ('problem' in page.data) throw new TerminalFailure(page.data.problem)
    const { title, status, text, isCut, screenshot: path } = page.data
    const head = `${title}\n${page.data.url}${status === null ? '' : ` (${status})`}`
    const output = `${head}\n\n${text}${isCut ? `\n[The page goes on after ${textLengthMax} characters.]` : ''}`
    if (path === null) return output
    const content = await ctx.sandbox.readFile(path, screenshotBytesMax)
    const part = await ctx.artifact({ name: 'page.png', mediaType: 'image/png', title: title.slice(0, 300) || page.data.url.slice(0, 300), content })
    return { output, parts: [part] }
  },
})

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined // What it was is told from how the program ended.
  }
}
