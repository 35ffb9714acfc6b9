/**
 * The console in Chromium against the real server: how much is loaded, how soon it can be used, and whether it stays smooth over long and busy runs.
 * Started by `npm run bench -- console`, which prints the figures that come here line by line.
 */
import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Client, createClient } from '@longhaul/sdk/client'
import type { Browser, Page } from 'playwright-core'
import { openBrowser, visit } from './support/browser.ts'
import { type TestServer, startServer } from './support/server.ts'

type Line = { figure: string; value: number; unit: string; n: number }
type Emit = (line: Line) => void

const stepCount = 10_000
const liveSeconds = 40

async function measure(emit: Emit): Promise<void> {
  const server = await startServer({
    prepare: async (folder) => {
      for (const agent of ['steps', 'ticks']) await cp(join(import.meta.dirname, '../../../bench/agents', agent), join(folder, agent), { recursive: true })
    },
  })
  const browser = await openBrowser()
  try {
    const client = createClient({ url: server.url, key: server.key })
    for (const agent of ['steps', 'ticks', 'hello']) await until(async () => (await client.agents.get({ name: agent })).status === 'ready')
    await shell(browser, server, emit)
    await pageChanges(browser, server, emit)
    await longRun(browser, server, client, emit)
    await liveRun(browser, server, client, emit)
  } finally {
    await browser.close()
    await server.stop()
  }
}

/** From an empty cache to the field in which a question is written. */
async function shell(browser: Browser, server: TestServer, emit: Emit): Promise<void> {
  const times: number[] = []
  for (let i = 0; i < 7; i++) {
    await using v = await visit(browser, server, 'about:blank')
    const bytes = new Map<string, number>()
    const reads: Promise<void>[] = []
    v.page.on('response', (response) => {
      const type = response.request().resourceType()
      if (['document', 'script', 'stylesheet'].includes(type))
        reads.push(
          response.body().then(
            (body) => void bytes.set(response.url(), gzipSync(body).length),
            () => {}, // It was cut off by leaving the page.
          ),
        )
    })
    await v.page.goto('/')
    await v.page.getByRole('textbox', { name: 'Question' }).waitFor()
    times.push(await v.page.evaluate(() => performance.now()))
    await Promise.all(reads)
    if (i === 0) emit({ figure: 'shell_gzip_kb', value: [...bytes.values()].reduce((sum, one) => sum + one, 0) / 1_000, unit: 'kB', n: bytes.size })
  }
  emit({ figure: 'cold_interactive_p50_ms', value: quantile(times, 0.5), unit: 'ms', n: times.length })
}

/** From the press on a link to the heading of its page on the screen, where code and data are there already. */
async function pageChanges(browser: Browser, server: TestServer, emit: Emit): Promise<void> {
  await using v = await visit(browser, server, '/')
  const names = ['Runs', 'Agents', 'Approvals', 'Schedules', 'Attention']
  const go = (name: string) =>
    v.page.evaluate(async (title) => {
      const link = [...document.querySelectorAll<HTMLAnchorElement>('nav a')].find((one) => one.textContent?.startsWith(title))
      const from = performance.now()
      link?.click()
      while (document.querySelector('main h1')?.textContent !== title) await new Promise(requestAnimationFrame)
      return performance.now() - from
    }, name)
  await v.page.getByRole('textbox', { name: 'Question' }).waitFor()
  for (const name of names) {
    await go(name)
    await v.page.waitForTimeout(300)
  }
  const times: number[] = []
  for (let round = 0; round < 6; round++) for (const name of names) times.push(await go(name))
  emit({ figure: 'page_change_p50_ms', value: quantile(times, 0.5), unit: 'ms', n: times.length })
  emit({ figure: 'page_change_p95_ms', value: quantile(times, 0.95), unit: 'ms', n: times.length })
}

async function longRun(browser: Browser, server: TestServer, client: Client, emit: Emit): Promise<void> {
  const { id } = await client.runs.start({ agent: 'steps', input: { count: stepCount, bytes: 100, isTimed: false } })
  await until(async () => (await client.runs.get({ runId: id })).state === 'completed', 600_000)
  const times: number[] = []
  for (let i = 0; i < 5; i++) {
    await using v = await visit(browser, server, `/runs/${id}`)
    await v.page.getByText(/^10,000 steps/).waitFor({ timeout: 120_000 })
    times.push(await v.page.evaluate(() => performance.now()))
    if (i > 0) continue
    await watch(v.page)
    await v.page.mouse.move(500, 600)
    const { height } = await v.page.evaluate(() => ({ height: document.documentElement.scrollHeight }))
    for (let at = 0; at < 200; at++) {
      await v.page.mouse.wheel(0, height / 200)
      await v.page.waitForTimeout(16)
    }
    report(await watched(v.page), 'scroll', emit)
  }
  emit({ figure: 'run_10000_interactive_p50_ms', value: quantile(times, 0.5), unit: 'ms', n: times.length })
}

async function liveRun(browser: Browser, server: TestServer, client: Client, emit: Emit): Promise<void> {
  const { id } = await client.runs.start({ agent: 'ticks', input: { count: liveSeconds * 100 } })
  await using v = await visit(browser, server, `/runs/${id}`)
  await v.page.getByRole('treeitem').nth(5).waitFor({ timeout: 60_000 })
  const session = await v.page.context().newCDPSession(v.page)
  const heap = async () => {
    await session.send('HeapProfiler.collectGarbage')
    return (await session.send('Runtime.getHeapUsage')).usedSize
  }
  await v.page.waitForTimeout(5_000)
  const events = async () => (await client.runs.get({ runId: id })).eventCount
  const [bytesBefore, eventsBefore, from] = [await heap(), await events(), performance.now()]
  await watch(v.page)
  await v.page.waitForTimeout(liveSeconds * 500)
  const seen = await watched(v.page)
  const count = (await events()) - eventsBefore
  const seconds = (performance.now() - from) / 1_000
  emit({ figure: 'live_events_per_second', value: count / seconds, unit: 'events/s', n: count })
  report(seen, 'live', emit)
  emit({ figure: 'live_heap_before_mb', value: bytesBefore / 1e6, unit: 'MB', n: 1 })
  emit({ figure: 'live_heap_bytes_per_event', value: ((await heap()) - bytesBefore) / count, unit: 'bytes', n: count })
  await client.runs.cancel({ runId: id })
}

type Watched = { frames: number[]; tasks: number[] }
declare global {
  var watched: (Watched & { isOver: boolean }) | undefined
}

/** Notes each frame and each long task of the page from now on. */
const watch = (page: Page): Promise<void> =>
  page.evaluate(() => {
    const notes = (globalThis.watched = { frames: [] as number[], tasks: [] as number[], isOver: false })
    new PerformanceObserver((list) => notes.tasks.push(...list.getEntries().map(({ duration }) => duration))).observe({ type: 'longtask' })
    let last = performance.now()
    const frame = (now: number) => {
      notes.frames.push(now - last)
      last = now
      if (!notes.isOver) requestAnimationFrame(frame)
    }
    requestAnimationFrame(frame)
  })

const watched = (page: Page): Promise<Watched> =>
  page.evaluate(() => {
    const { frames = [], tasks = [] } = globalThis.watched ?? {}
    if (globalThis.watched) globalThis.watched.isOver = true
    return { frames, tasks }
  })

function report({ frames, tasks }: Watched, name: string, emit: Emit): void {
  emit({ figure: `${name}_frame_p99_ms`, value: quantile(frames, 0.99), unit: 'ms', n: frames.length })
  emit({ figure: `${name}_long_tasks`, value: tasks.length, unit: 'tasks', n: frames.length })
  emit({ figure: `${name}_longest_task_ms`, value: Math.max(0, ...tasks), unit: 'ms', n: frames.length })
}

async function until(isSo: () => Promise<boolean>, msMax = 120_000): Promise<void> {
  for (const from = performance.now(); performance.now() - from < msMax; await new Promise((resolve) => setTimeout(resolve, 100))) if (await isSo()) return
  throw new Error(`not so after ${msMax / 1_000} s`)
}

function quantile(values: readonly number[], at: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * at))] ?? Number.NaN
}

await measure((line) => void process.stdout.write(`${JSON.stringify(line)}\n`))
process.exit(0)
