/** The console's figures. They are taken in a process of their own, `packages/console/test/bench.ts`, which knows of browsers and is checked with their types. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Line } from './line.ts'

export async function consoleBench(emit: (line: Line) => void): Promise<void> {
  const program = join(import.meta.dirname, '../packages/console/test/bench.ts')
  const child = spawn(process.execPath, ['--conditions=longhaul-source', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
  for await (const line of createInterface({ input: child.stdout })) emit(JSON.parse(line) as Line) // As that program writes them.
  const code = await ended
  if (code !== 0) throw new Error(`The browser's part ended with ${code}. It needs Chromium, and the console built: npm run build -w @longhaul/console`)
}
