import { readFileSync } from 'node:fs'
import { Interrupted } from './problem.ts'
import { runCli } from './run-cli.ts'

const { version }: { version: string } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

const interrupt = new AbortController()
process.once('SIGINT', () => interrupt.abort(new Interrupted())) // Once: a second Ctrl-C ends the process, whatever it is doing.
process.once('SIGTERM', () => interrupt.abort(new Interrupted()))
// Whoever read our output has seen enough, as in `longhaul runs list | head -3`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => process.exit(error.code === 'EPIPE' ? 0 : 1))
process.on('exit', () => process.stdout.isTTY && process.stdout.write('\u001b[?25h')) // The cursor, if a status line hid it.

interrupt.signal.addEventListener('abort', () => process.stdin.destroy()) // A read of it would keep us here.

async function readStdin(): Promise<string> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of process.stdin) chunks.push(Buffer.from(chunk))
  } finally {
    interrupt.signal.throwIfAborted()
  }
  return Buffer.concat(chunks).toString('utf8')
}

async function readSecret(prompt: string): Promise<string> {
  if (!process.stdin.isTTY) return readStdin()
  process.stderr.write(prompt)
  const { createInterface } = await import('node:readline/promises')
  const { Writable } = await import('node:stream')
  // A terminal that shows nothing of what is typed.
  const lines = createInterface({ input: process.stdin, output: new Writable({ write: (_, __, done) => done() }), terminal: true })
  try {
    return await lines.question('', { signal: interrupt.signal })
  } finally {
    lines.close()
    process.stderr.write('\n')
    interrupt.signal.throwIfAborted()
  }
}

process.exitCode = await runCli(process.argv.slice(2), version, {
  stdout: process.stdout,
  stderr: process.stderr,
  readStdin,
  stdin: process.stdin,
  readSecret,
  env: process.env,
  folder: process.cwd(),
  interrupted: interrupt.signal,
})
