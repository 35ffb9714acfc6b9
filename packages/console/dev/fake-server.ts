import { createServer } from 'node:http'
import type { ServerResponse } from 'node:http'
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { isTerminal } from '@longhaul/protocol'
import type { RunEvent } from '@longhaul/protocol'
import { id, liveStory, makeStories, rows, svgId } from './stories.ts'
import type { Story } from './stories.ts'

/** Speaks the shapes of the API, from memory, so that the console can be looked at without a server. Not part of the product. */
const dist = new URL('../dist', import.meta.url).pathname
const stories = new Map(makeStories().map((story) => [story.run.id, story]))
const listeners = new Map<string, Set<ServerResponse>>()
const key = 'lh_dev'

const send = (res: ServerResponse, status: number, body: unknown) => res.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
const fail = (res: ServerResponse, status: number, code: string, message: string) => send(res, status, { error: { code, message, requestId: id() } })
const types: Record<string, string> = { '.js': 'text/javascript', '.css': 'text/css', '.html': 'text/html; charset=utf-8', '.svg': 'image/svg+xml', '.woff2': 'font/woff2' }

export const server = createServer(async (req, res) => {
  const url = new URL(req.url ?? '/', 'http://x')
  const path = url.pathname
  if (path === '/healthz') return send(res, 200, { ok: true })
  if (!path.startsWith('/v1/')) {
    res.setHeader('content-security-policy', "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
    const file = extname(path) ? path : '/index.html'
    try {
      return res.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' }).end(readFileSync(join(dist, file)))
    } catch {
      return res.writeHead(404).end()
    }
  }
  if (req.headers.authorization !== `Bearer ${key}`) return fail(res, 401, 'unauthenticated', 'No such key.')
  let text = ''
  for await (const chunk of req) text += chunk
  const body = text ? JSON.parse(text) : {}
  const part = path.split('/').slice(2)
  const all = [...stories.values()].sort((a, b) => (a.run.createdAt < b.run.createdAt ? 1 : -1))
  if (path === '/v1/system')
    return send(res, 200, {
      version: '0.1.0', caller: { id: 'k', name: 'local', permissions: ['runs:read', 'runs:write', 'approvals:decide', 'agents:read', 'files:read', 'keys:manage', 'system:read'], access: { personalData: true } },
      sandbox: { driver: 'bwrap', enforced: ['own user, process, mount, network and IPC namespaces', 'seccomp filter', 'no network', 'read-only system, writable /workspace', 'process count and file size limits'], missing: [{ what: 'memory and CPU limits by cgroup v2', remedy: 'systemctl --user edit longhaul  # Delegate=yes' }, { what: 'Python with pandas', remedy: 'apt-get install -y python3-pandas' }], languages: ['bash', 'node 24', 'python 3.11'] },
      models: { default: 'offline/planner', offline: true, available: ['offline/planner'] }, database: { kind: 'embedded', version: '18.4' },
      startup: [{ phase: 'configuration', ms: 12 }, { phase: 'database', ms: 1610 }, { phase: 'migrations', ms: 240 }, { phase: 'engine', ms: 31 }, { phase: 'agents', ms: 820 }, { phase: 'http', ms: 9 }],
    })
  if (path === '/v1/agents')
    return send(res, 200, {
      items: [
        { name: 'analyst', version: 'a3f91c0e27b4', status: 'ready', problem: null, deployedAt: new Date().toISOString(), manifest: { description: 'Answers questions about the business from the warehouse: revenue, customers, usage, support.', shape: 'agent', model: 'default', instructions: '', tools: [], skills: [], examples: ['What was our ARR at the end of last quarter, by region?', 'Which ten accounts grew the most in the last twelve months?', '上个月流失了多少客户？按细分市场列出', 'Net revenue retention by quarter since 2024', 'Average days to resolve a ticket, by priority'] } },
        { name: 'onboarding', version: 'b1', status: 'ready', problem: null, deployedAt: new Date().toISOString(), manifest: { description: 'Takes a new customer from contract to first login.', shape: 'function', model: null, instructions: null, tools: [], skills: [], examples: ['{"account": "Northwind"}'] } },
        { name: 'refunds', version: 'c1', status: 'broken', problem: 'SyntaxError: Unexpected token, expected ","\n    at agents/refunds/agent/agent.ts:14:22', deployedAt: new Date().toISOString(), manifest: null },
      ],
    })
  if (part[0] === 'approvals') {
    const list = all.flatMap((story) => story.approval ?? [])
    if (part[1]) {
      const approval = list.find((one) => one.id === part[1])
      if (!approval) return fail(res, 404, 'not_found', 'No such approval.')
      Object.assign(approval, { state: body.approved ? 'approved' : 'denied', decidedBy: 'local', decidedAt: new Date().toISOString(), comment: body.comment ?? null })
      return send(res, 200, approval)
    }
    const state = url.searchParams.get('state')
    return send(res, 200, { items: list.filter((one) => !state || one.state === state), next: null })
  }
  if (part[0] === 'files') {
    if (part[1] !== svgId) return res.writeHead(200, { 'content-type': 'image/png' }).end(Buffer.from('iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==', 'base64'))
    return res.writeHead(200, { 'content-type': 'image/svg+xml' }).end(chart())
  }
  if (part[0] !== 'runs') return fail(res, 404, 'not_found', `No such address: ${path}`)
  if (!part[1]) {
    if (req.method === 'POST') {
      const story = liveStory(typeof body.input === 'string' ? body.input : JSON.stringify(body.input))
      stories.set(story.run.id, story)
      play(story)
      return send(res, 200, story.run)
    }
    const found = all.filter(({ run }) => (!url.searchParams.get('state') || run.state === url.searchParams.get('state')) && (!url.searchParams.get('agent') || run.agent === url.searchParams.get('agent')))
    const from = Number(url.searchParams.get('cursor') ?? 0)
    const limit = Number(url.searchParams.get('limit') ?? 50)
    return send(res, 200, { items: found.slice(from, from + limit).map(({ run }) => run), next: from + limit < found.length ? String(from + limit) : null })
  }
  const story = stories.get(part[1])
  if (!story) return fail(res, 404, 'not_found', `No run ${part[1]}.`)
  if (!part[2]) return send(res, 200, story.run)
  if (part[2] === 'steps') {
    const step = story.steps.get(part[3] ?? '')
    return step ? send(res, 200, step) : fail(res, 404, 'not_found', `No step ${part[3]}.`)
  }
  if (part[2] === 'cancel') {
    if (isTerminal(story.run.state)) return send(res, 200, story.run)
    story.run.state = 'cancelled'
    story.live.length = 0
    record(story, { type: 'run.cancelled', data: { by: 'local', ...(body.reason ? { reason: body.reason } : {}) } })
    return send(res, 200, story.run)
  }
  if (part[2] === 'retry' || part[2] === 'signals') return send(res, 200, story.run)
  if (req.headers.accept !== 'text/event-stream') {
    const after = Number(url.searchParams.get('after') ?? -1)
    return send(res, 200, { items: story.events.slice(after + 1, after + 1 + Number(url.searchParams.get('limit') ?? 500)), next: null })
  }
  res.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const event of story.events.slice(Number(req.headers['last-event-id'] ?? -1) + 1)) write(res, event)
  if (isTerminal(story.run.state)) return res.end()
  const set = listeners.get(story.run.id) ?? new Set()
  listeners.set(story.run.id, set.add(res))
  res.on('close', () => set.delete(res))
})

const write = (res: ServerResponse, frame: object) => res.write(`${'seq' in frame ? `id: ${frame.seq}\n` : ''}data: ${JSON.stringify(frame)}\n\n`)

function record(story: Story, frame: object) {
  const isLive = 'type' in frame && String(frame.type).endsWith('-delta')
  const whole = isLive ? frame : { ...frame, seq: story.events.length, at: new Date().toISOString() }
  if (!isLive) story.events.push(whole as RunEvent)
  story.run.eventCount = story.events.length
  if ('type' in frame && /^run\.(completed|failed|cancelled)$/.test(String(frame.type))) {
    story.run.endedAt = new Date().toISOString()
    if (frame.type === 'run.completed') Object.assign(story.run, { state: 'completed', output: (frame as { data?: { output?: unknown } }).data?.output })
  }
  for (const res of listeners.get(story.run.id) ?? []) {
    write(res, whole)
    if (isTerminal(story.run.state)) res.end()
  }
}

function play(story: Story) {
  const start = Date.now()
  setTimeout(() => {
    if (story.run.state !== 'pending') return
    story.run.state = 'running'
    story.run.startedAt = new Date().toISOString()
  }, 200)
  const next = () => {
    const one = story.live.shift()
    if (!one) return
    setTimeout(() => {
      record(story, one.frame)
      next()
    }, Math.max(0, start + 300 + one.at - Date.now()))
  }
  next()
}

const chart = () => {
  const bars = rows.map(([name, value], i) => `<rect x="${90 + i * 170}" y="${330 - (Number(value) / 7_100_000) * 270}" width="90" height="${(Number(value) / 7_100_000) * 270}" fill="#2f7f86"/><text x="${135 + i * 170}" y="352" font-size="13" text-anchor="middle" fill="#444">${name}</text><text x="${135 + i * 170}" y="${322 - (Number(value) / 7_100_000) * 270}" font-size="12" text-anchor="middle" fill="#222">$${(Number(value) / 1e6).toFixed(2)}M</text>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 420" font-family="sans-serif"><rect width="760" height="420" fill="#fff"/><text x="40" y="36" font-size="16" font-weight="600" fill="#222">ARR by region, 31 October 2025</text><path d="M60 330H740" stroke="#bbb"/>${bars.join('')}</svg>`
}

if (process.argv[1] === new URL(import.meta.url).pathname) {
  server.listen(Number(process.env['PORT'] ?? 0), '127.0.0.1', () => console.log(JSON.stringify({ address: server.address(), key, runs: [...stories.values()].slice(0, 8).map(({ run }) => [run.id, run.state]) })))
}
