import { mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { makeOnce } from './once.ts'

async function folder(): Promise<string> {
  const made = await mkdtemp(join(tmpdir(), 'once-'))
  onTestFinished(() => rm(made, { recursive: true }))
  return made
}

test('of many who ask at once, one makes the file and all find it whole', async () => {
  const path = join(await folder(), 'a', 'file')
  let makers = 0
  const make = async (unfinished: string) => {
    makers++
    await writeFile(unfinished, 'half')
    // The others look while it is half made.
    await new Promise((resolve) => setImmediate(resolve))
    await writeFile(unfinished, 'whole')
  }
  const seen = await Promise.all(Array.from({ length: 8 }, async () => (await makeOnce(path, make), readFile(path, 'utf8'))))
  expect(makers).toBe(1)
  expect(new Set(seen)).toEqual(new Set(['whole']))
})

test('a maker that fails leaves nothing behind, and the next one makes it', async () => {
  const at = await folder()
  const path = join(at, 'file')
  const failing = makeOnce(path, async (unfinished) => {
    await writeFile(unfinished, 'half')
    throw new Error('no disk')
  })
  await expect(failing).rejects.toThrow('no disk')
  expect(await readdir(at)).toEqual([])
  await makeOnce(path, (unfinished) => writeFile(unfinished, 'whole'))
  expect(await readFile(path, 'utf8')).toBe('whole')
})

test('when the maker died, another takes over', async () => {
  const path = join(await folder(), 'file')
  await writeFile(`${path}.claim`, '')
  const longAgo = new Date(Date.now() - 60_000)
  await utimes(`${path}.claim`, longAgo, longAgo)
  await makeOnce(path, (unfinished) => writeFile(unfinished, 'whole'))
  expect(await readFile(path, 'utf8')).toBe('whole')
})
