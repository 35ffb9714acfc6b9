import { Readable } from 'node:stream'
import { Interrupted } from '../../src/problem.ts'
import { runCli } from '../../src/run-cli.ts'
import type { FakeApi } from './fake-api.ts'
import { rootKey } from './fake-api.ts'
import { tempFolder } from './temp-folder.ts'

export type Ran = { exit: number; out: string; err: string; folder: string; json(): Record<string, unknown>[] }
export type RunOptions = {
  env?: Record<string, string>
  isTty?: boolean
  columns?: number
  stdin?: string
  folder?: string
  onOut?(out: string): void
  interrupt?: AbortController
}

/** One command against the fake, in an empty folder, 80 columns wide. */
export async function command(api: Pick<FakeApi, 'url'> | undefined, args: string[], options: RunOptions = {}): Promise<Ran> {
  const folder = options.folder ?? (await tempFolder())
  let out = ''
  let err = ''
  const interrupt = options.interrupt ?? new AbortController()
  const write = (text: string) => {
    out += text
    options.onOut?.(out)
  }
  const exit = await runCli(args, '9.9.9', {
    stdout: { write, isTTY: options.isTty, columns: options.columns ?? 80 },
    stderr: { write: (text) => ((err += text), true), columns: 80 },
    readStdin: async () => options.stdin ?? '',
    stdin: options.stdin === undefined ? undefined : Readable.from([Buffer.from(options.stdin)]),
    readSecret: async () => options.stdin ?? '',
    env: { ...(api ? { LONGHAUL_URL: api.url, LONGHAUL_API_KEY: rootKey } : {}), ...options.env },
    folder,
    interrupted: interrupt.signal,
  })
  return {
    exit,
    out,
    err,
    folder,
    json: () =>
      out
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
  }
}

export const ctrlC = (controller: AbortController): void => controller.abort(new Interrupted())

/** Times that differ from run to run, made the same. */
export const steady = (text: string): string => text.replace(/back after \d[\d.]* m?s/g, 'back after … ms')
