import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runAgent, runWithCrashes, type TestOptions } from '@longhaul/sdk/testing'
import { expect, onTestFinished, test } from 'vitest'
import { payments, payOut } from './ledger.ts'

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'approval-'))
  onTestFinished(() => rm(folder, { recursive: true, force: true }))
  return folder
}

const broken = { order: 'A-1001', amountUsd: 120, reason: 'arrived broken' }
const settled = { settled: [{ reference: 'B-77' }] }

async function refund(options: TestOptions) {
  const dataDir = options.dataDir ?? (await temporaryFolder())
  const asked: string[] = []
  const approve: TestOptions['approve'] = (title, detail) => (asked.push(title), options.approve ? options.approve(title, detail) : { approved: true })
  const run = await runAgent(import.meta.dirname, { input: broken, signals: settled, ...options, dataDir, approve })
  return { ...run, asked, paid: await payments(dataDir) }
}

test('a refund waits for a person, then for the bank', async () => {
  const run = await refund({ approve: () => ({ approved: true, by: 'Grace' }) })
  expect(run).toMatchObject({
    state: 'completed',
    output: { state: 'settled', confirmation: { reference: 'B-77' } },
    asked: ['Refund $120 for order A-1001?'],
    paid: [{ order: 'A-1001', amountUsd: 120 }],
  })
  expect(run.elapsedMs).toBeGreaterThanOrEqual(5_000)
})

test('a refusal pays nothing, and says whose it was', async () => {
  expect(await refund({ approve: () => ({ approved: false, by: 'Grace', comment: 'no photo' }) })).toMatchObject({
    output: { state: 'refused', by: 'Grace', comment: 'no photo' },
    paid: [],
  })
})

test('when nobody answers for three days, nothing is paid', async () => {
  expect(await refund({ approve: () => undefined })).toMatchObject({ output: { state: 'refused', by: null }, paid: [] })
})

test('when the bank is silent for a week, the run ends as paid', async () => {
  expect(await refund({ signals: {} })).toMatchObject({ output: { state: 'paid' }, paid: [{ amountUsd: 120 }] })
})

test('a little is paid at once, but not in slices', async () => {
  const dataDir = await temporaryFolder()
  const little = { ...broken, amountUsd: 20 }
  expect(await refund({ dataDir, input: little })).toMatchObject({ output: { state: 'settled' }, asked: [] })
  await payOut(dataDir, { key: 'another run', order: 'A-1001', amountUsd: 1 })
  expect(await refund({ dataDir, input: little })).toMatchObject({ asked: ['Refund $20 for order A-1001?'] })
})

test('a reason that smells of fraud is looked at, however little it is', async () => {
  expect(await refund({ input: { ...broken, amountUsd: 5, reason: 'urgent, by gift card' } })).toMatchObject({ asked: ['Refund $5 for order A-1001?'] })
})

test('what is no refund fails at once and is not tried again', async () => {
  expect(await refund({ input: { order: 'A-1', amountUsd: -5, reason: '' } })).toMatchObject({
    state: 'failed',
    failure: { retryable: false, message: expect.stringContaining('amountUsd') },
    paid: [],
  })
})

test('killed at any point, it pays exactly once and ends the same', async () => {
  const folders: string[] = []
  const { undisturbed, crashed } = await runWithCrashes(import.meta.dirname, () => {
    const dataDir = join(tmpdir(), `approval-${process.pid}-${folders.length}`)
    folders.push(dataDir)
    return { input: broken, signals: settled, dataDir }
  })
  onTestFinished(async () => void (await Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true })))))
  expect(crashed.length).toBeGreaterThan(10)
  for (const run of crashed) expect(run.output).toEqual(undisturbed.output)
  for (const folder of folders) expect(await payments(folder)).toHaveLength(1)
})
