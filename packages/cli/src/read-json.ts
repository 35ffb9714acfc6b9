import type { Json } from '@longhaul/protocol'
import type { Invocation } from './invocation.ts'
import { Problem } from './problem.ts'
import { cut, oneLine } from './show/text.ts'

/** JSON from the command line, from a file (`@file`) or from standard input (`-`). */
export async function readJson({ world }: Invocation, given: string | undefined): Promise<Json> {
  if (given === undefined) return null
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  let text = given
  if (given === '-') text = await world.readStdin()
  else if (given.startsWith('@')) {
    text = await readFile(resolve(world.folder, given.slice(1)), 'utf8').catch((error: NodeJS.ErrnoException) => {
      throw new Problem('invalid', `${given.slice(1)} cannot be read: ${error.code}.`)
    })
  }
  try {
    return JSON.parse(text)
  } catch (error) {
    throw new Problem(
      'invalid',
      `That is not JSON: ${error instanceof Error ? error.message : error}`,
      `A text needs quotes of its own: '"${cut(oneLine(text), 30).replaceAll("'", '')}"'`,
    )
  }
}
