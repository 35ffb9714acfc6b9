import { spawn } from 'node:child_process'
import { editedBy } from '@longhaul/protocol'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { createProgram } from '../src/program.ts'
import { rootKey, startFakeApi, uuid } from './support/fake-api.ts'
import { agents, eventful } from './support/stories.ts'
import { tempFolder } from './support/temp-folder.ts'

const program = new URL('../bin/longhaul.js', import.meta.url).pathname

/** The program as a process of its own; `onOutput` is called with everything so far. */
async function run(args: string[], url = 'http://127.0.0.1:9', onOutput: (out: string, process: ReturnType<typeof spawn>) => void = () => {}) {
  const folder = await tempFolder()
  const child = spawn(process.execPath, ['--conditions=longhaul-source', program, ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], LONGHAUL_URL: url, LONGHAUL_API_KEY: rootKey },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let out = ''
  let err = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => onOutput((out += text), child))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  const { code, signal } = await new Promise<{ code: number | null; signal: string | null }>((resolve) =>
    child.on('close', (code, signal) => resolve({ code, signal })),
  )
  return { code, signal, out, err }
}

test('the program starts, prints its version and help, and sets its exit code', async () => {
  expect(await run(['--version'])).toEqual({ code: 0, signal: null, out: '0.1.0\n', err: '' })
  expect((await run(['--help'])).out).toContain('npx longhaul ask analyst')
  expect(await run(['status'])).toMatchObject({ code: 9, out: '', err: expect.stringContaining('No answer from http://127.0.0.1:9') })
})

test('help loads none of what only commands need', async () => {
  const child = spawn(
    process.execPath,
    [
      '--conditions=longhaul-source',
      '--import',
      `data:text/javascript,import module from 'node:module'; module.registerHooks({ load(url, context, next) { process.stderr.write(url + '\\n'); return next(url, context) } })`,
      program,
      '--help',
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  )
  let loaded = ''
  for await (const chunk of child.stderr) loaded += chunk
  expect(loaded).toContain('cli/src/program.ts')
  expect(loaded.split('\n').filter((url) => /zod|yaml|string-width|sdk\/|protocol\/|commands\//.test(url))).toEqual([])
})

test('every command that edits something can say which state of it was seen', () => {
  const find = (at: Command | undefined, [name, ...rest]: string[]): Command | undefined =>
    name === undefined
      ? at
      : find(
          at?.commands.find((each) => each.name() === name),
          rest,
        )
  const root = createProgram('0.0.0', async () => {})
  const found = [...editedBy.keys()].map((operation) => ({ operation, options: find(root, operation.split('.'))?.options.map(({ long }) => long) }))
  expect(found.length).toBeGreaterThan(20)
  expect(found.filter(({ options }) => !options?.includes('--if-match')).map(({ operation }) => operation)).toEqual([])
})

test('SIGINT leaves the run and ends with 130', async () => {
  await using api = await startFakeApi({ agents, script: () => [...eventful().slice(0, 8), { type: 'pause', until: new Promise(() => {}) }] })
  let isSent = false
  const { code, out } = await run(['ask', 'analyst', 'q'], api.url, (soFar, child) => {
    if (!isSent && soFar.includes('bash')) isSent = child.kill('SIGINT') // Once: a second one ends it at once, by design.
  })
  expect(code).toBe(130)
  expect(out).toContain(`npx longhaul runs cancel ${uuid(0)}`)
})

test('a reader that has seen enough is no error', async () => {
  await using api = await startFakeApi({ agents, script: () => eventful() })
  const { code, err } = await run(['ask', 'analyst', 'q', '--json'], api.url, (_, child) => child.stdout?.destroy())
  expect({ code, err }).toEqual({ code: 0, err: '' })
})
