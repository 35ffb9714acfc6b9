import type { Client } from '@longhaul/sdk/client'
import type { Credentials } from './credentials.ts'
import type { Stream, Terminal } from './show/terminal.ts'

/** The world outside, as a process has it and a test makes it. */
export type World = {
  stdout: Stream
  stderr: Stream
  readStdin(): Promise<string>
  /** Lines as they are typed, for a command that listens to them. */
  stdin?: NodeJS.ReadableStream | undefined
  /** Asked for without echo at a terminal, else standard input. */
  readSecret(prompt: string): Promise<string>
  env: Record<string, string | undefined>
  folder: string
  /** Aborted by Ctrl-C. */
  interrupted: AbortSignal
}

/** One call of the program: the world, what all commands share, and the server. */
export type Invocation = {
  world: World
  terminal: Terminal
  isJson: boolean
  client(): Promise<Client>
  /** Where the server is, and the key for it. */
  credentials(): Promise<Credentials>
  /** One JSON value on a line of its own. */
  printJson(value: unknown): void
}
