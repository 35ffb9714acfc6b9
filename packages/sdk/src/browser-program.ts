/**
 * The program that drives Chromium inside the sandbox, over the debugging pipe: `node --input-type=module -` reads it, so nothing of it lies in the workspace.
 * It is a text, since it runs in another place than this package. Prints one JSON object: what the page shows, or why it cannot.
 *
 * Chromium's own sandbox is off: it is made of user namespaces and system calls that this sandbox refuses on purpose, and its walls are this one's.
 */
export const browserProgram = String.raw`
import { spawn } from 'node:child_process'
import { X509Certificate, createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'

const { url, actions, screenshot, textLengthMax, pageMs } = JSON.parse(process.argv[2])
const end = (value) => process.stdout.write(JSON.stringify(value), () => process.exit(0))
const refuse = (problem) => end({ problem })

const program = ['/usr/lib/chromium/chromium', '/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
const hasOtherRoot = existsSync('/run/longhaul/o')
if (!program)
  refuse(
    hasOtherRoot
      ? 'There is no Chromium in the root of this sandbox. Take an image that has it, or have the operator build a root that does: npm run sandbox-root -- chromium.'
      : 'There is no Chromium on the server’s machine: apt-get install chromium.',
  )
else await main().catch((error) => refuse(error.message))

/** Where the proxy reads requests it speaks TLS under an authority of this sandbox alone: that key is trusted, and no other. */
function trusted() {
  const file = process.env.NODE_EXTRA_CA_CERTS
  if (!file || !existsSync(file)) return []
  const key = new X509Certificate(readFileSync(file)).publicKey.export({ type: 'spki', format: 'der' })
  return ['--ignore-certificate-errors-spki-list=' + createHash('sha256').update(key).digest('base64')]
}

async function main() {
  const folder = '/workspace/.browser'
  mkdirSync(folder + '/tmp', { recursive: true })
  for (const name of ['SingletonLock', 'SingletonCookie', 'SingletonSocket']) rmSync(folder + '/' + name, { force: true })
  const proxy = process.env.HTTP_PROXY ? ['--proxy-server=' + process.env.HTTP_PROXY, '--proxy-bypass-list=127.0.0.1;localhost'] : []
  const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--no-zygote', '--no-first-run', '--no-default-browser-check', '--mute-audio',
    '--disable-extensions', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--disable-breakpad', '--disable-features=Translate,MediaRouter,OptimizationHints',
    '--renderer-process-limit=1', '--js-flags=--max-old-space-size=256', '--window-size=1280,900', '--remote-debugging-pipe', '--user-data-dir=' + folder, ...proxy, ...trusted(), 'about:blank']
  const child = spawn(program, flags, { stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'], env: { ...process.env, TMPDIR: folder + '/tmp', XDG_CONFIG_HOME: folder, XDG_CACHE_HOME: folder + '/tmp' } })
  let said = ''
  child.stderr.on('data', (bytes) => (said = (said + bytes).slice(-2000)))
  const gone = new Promise((_, reject) => child.on('exit', (code, signal) => reject(new Error('The browser ended (' + (signal ?? code) + '): a page may need more memory than the sandbox has. ' + said.trim().split('\n').at(-1)))))
  gone.catch(() => {})
  child.on('error', () => {})

  const waiting = new Map()
  const listeners = new Set()
  let number = 0
  let rest = ''
  child.stdio[3].on('error', () => {})
  child.stdio[4].on('data', (bytes) => {
    rest += bytes
    const messages = rest.split('\0')
    rest = messages.pop()
    for (const text of messages) {
      const message = JSON.parse(text)
      const wait = waiting.get(message.id)
      waiting.delete(message.id)
      if (wait) message.error ? wait.reject(new Error(message.error.message)) : wait.resolve(message.result)
      for (const listener of listeners) listener(message)
    }
  })
  const send = (method, params = {}, sessionId) =>
    Promise.race([gone, new Promise((resolve, reject) => {
      waiting.set(++number, { resolve, reject })
      child.stdio[3].write(JSON.stringify({ id: number, method, params, ...(sessionId && { sessionId }) }) + '\0')
    })])

  const { targetInfos } = await send('Target.getTargets')
  const { sessionId } = await send('Target.attachToTarget', { targetId: targetInfos.find(({ type }) => type === 'page').targetId, flatten: true })
  const page = (method, params) => send(method, params, sessionId)
  const evaluate = async (expression) => {
    const { result, exceptionDetails } = await page('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true })
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text)
    return result.value
  }
  await page('Page.enable')
  await page('Network.enable')
  await page('Browser.setDownloadBehavior', { behavior: 'deny' }).catch(() => {})

  let requests = 0
  let quietAt = Date.now()
  let status = null
  listeners.add(({ method, params }) => {
    if (method === 'Network.requestWillBeSent') requests++
    if (method === 'Network.loadingFinished' || method === 'Network.loadingFailed') requests = Math.max(0, requests - 1)
    if (method?.startsWith('Network.')) quietAt = Date.now()
    if (method === 'Network.responseReceived' && params.type === 'Document') status = params.response.status
    if (method === 'Page.javascriptDialogOpening') page('Page.handleJavaScriptDialog', { accept: false }).catch(() => {})
  })
  /** Until the page has loaded and asks for nothing, or its time is over: then what is there is shown. */
  const settle = async () => {
    const until = Date.now() + pageMs
    while (Date.now() < until) {
      await new Promise((resolve) => setTimeout(resolve, 100))
      const state = await evaluate('document.readyState').catch(() => 'loading')
      if (state === 'complete' && (requests === 0 || Date.now() - quietAt > 2000) && Date.now() - quietAt > 300) return
    }
  }

  const { errorText } = await page('Page.navigate', { url })
  if (errorText) throw new Error(url + ' could not be opened: ' + errorText + (proxy.length > 0 ? '. The agent’s egress may not allow it.' : '. The sandbox has no way out: declare one in agent.ts.'))
  await settle()
  for (const [at, action] of actions.entries()) {
    const target = action.click ?? action.into
    const found = target === undefined || (await evaluate('(' + focusOn + ')(' + JSON.stringify(target) + ')'))
    if (!found) throw new Error('Action ' + (at + 1) + ': the page has nothing that is or shows ' + JSON.stringify(target) + '.')
    if (action.click !== undefined) await evaluate('globalThis.__found.click()')
    if (action.text !== undefined) {
      await evaluate('globalThis.__found.select?.()')
      await page('Input.insertText', { text: action.text })
    }
    if (action.press !== undefined) {
      const key = { key: action.press, code: action.press, windowsVirtualKeyCode: { Enter: 13, Escape: 27, Tab: 9 }[action.press], ...(action.press === 'Enter' && { text: '\r' }) }
      await page('Input.dispatchKeyEvent', { type: 'keyDown', ...key })
      await page('Input.dispatchKeyEvent', { type: 'keyUp', ...key })
    }
    await settle()
  }
  const shown = await evaluate('(' + describe + ')()')
  let file = null
  if (screenshot) {
    const { data } = await page('Page.captureScreenshot', { format: 'png' })
    file = '.browser/screenshot.png'
    writeFileSync('/workspace/' + file, Buffer.from(data, 'base64'))
  }
  const isCut = shown.text.length > textLengthMax
  const result = { ...shown, status, text: shown.text.slice(0, textLengthMax).toWellFormed(), isCut, screenshot: file }
  await Promise.race([send('Browser.close'), new Promise((resolve) => setTimeout(resolve, 1000))]).catch(() => {}) // What it keeps is on disk then.
  end(result)
}

/** By selector, else by what it is called: the shortest text that has it, or a field's label, placeholder or name. */
function focusOn(target) {
  const isShown = (element) => element.getClientRects().length > 0
  const called = (element) => [element.innerText, element.value, element.placeholder, element.name, element.ariaLabel, element.title, element.labels?.[0]?.innerText].filter((text) => typeof text === 'string').map((text) => text.trim().toLowerCase())
  let found
  try { found = document.querySelector(target) } catch {}
  const wanted = target.trim().toLowerCase()
  const all = [...document.querySelectorAll('a,button,input,textarea,select,summary,label,[role],[onclick],[contenteditable]')].filter(isShown)
  found ??= all.find((element) => called(element).includes(wanted))
  found ??= all.filter((element) => called(element).some((text) => text.includes(wanted))).sort((a, b) => a.innerText.length - b.innerText.length)[0]
  if (!found) return false
  found.scrollIntoView({ block: 'center' })
  found.focus?.()
  globalThis.__found = found
  return true
}

/** What a reader sees, with links and fields as Markdown has them. */
function describe() {
  const blocks = new Set(['P', 'DIV', 'SECTION', 'ARTICLE', 'MAIN', 'HEADER', 'FOOTER', 'NAV', 'UL', 'OL', 'TABLE', 'TR', 'FORM', 'BLOCKQUOTE', 'PRE', 'FIGURE', 'DL', 'DT', 'DD'])
  const inner = (node) => [...node.childNodes].map(write).join('')
  function write(node) {
    if (node.nodeType === 3) return node.data.replace(/\s+/g, ' ')
    if (node.nodeType !== 1 || ['SCRIPT', 'STYLE', 'NOSCRIPT', 'TEMPLATE', 'SVG', 'HEAD'].includes(node.tagName.toUpperCase())) return ''
    const style = getComputedStyle(node)
    if (style.display === 'none' || style.visibility === 'hidden') return ''
    const { tagName } = node
    if (/^H[1-6]$/.test(tagName)) return '\n\n' + '#'.repeat(Number(tagName[1])) + ' ' + inner(node).trim() + '\n\n'
    if (tagName === 'BR') return '\n'
    if (tagName === 'HR') return '\n\n---\n\n'
    if (tagName === 'LI') return '\n- ' + inner(node).trim()
    if (tagName === 'TD' || tagName === 'TH') return inner(node).trim() + ' | '
    if (tagName === 'A' && node.href) return '[' + inner(node).trim() + '](' + node.href + ')'
    if (tagName === 'IMG') return node.alt ? '![' + node.alt + ']' : ''
    if (tagName === 'BUTTON') return ' [button: ' + inner(node).trim() + '] '
    if (tagName === 'INPUT' && node.type !== 'hidden') return ' [' + node.type + ' ' + (node.name || node.placeholder || node.id) + (node.type === 'password' || !node.value ? '' : ': ' + node.value) + '] '
    if (tagName === 'TEXTAREA') return ' [textarea ' + (node.name || node.placeholder || node.id) + ': ' + node.value + '] '
    if (tagName === 'SELECT') return ' [select ' + node.name + ': ' + [...node.options].map((each) => (each.selected ? '*' : '') + each.text).join(', ') + '] '
    return blocks.has(tagName) ? '\n' + inner(node) + '\n' : inner(node)
  }
  const text = document.body ? write(document.body) : ''
  return { url: location.href, title: document.title, text: text.replace(/[ \t]+\n/g, '\n').replace(/\n[ \t]+/g, '\n').replace(/\n{3,}/g, '\n\n').trim() }
}
`
