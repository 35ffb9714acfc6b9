/** Vault's transit engine over its HTTP API, as far as a key service of ours asks for it: versions of a key that never leaves it. */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

type Body = { bits?: number; ciphertext?: string }

export async function startVault({ token = 'hvs.test-token-of-a-fake', mount = 'transit', key = 'longhaul' } = {}) {
  const versions = [randomBytes(32)]
  const asked: string[] = []
  const state = { isSealed: false, oldest: 1 }

  function seal(plain: Buffer): string {
    const iv = randomBytes(12)
    const cipher = createCipheriv('aes-256-gcm', versions.at(-1)!, iv) // There is at least one.
    return `vault:v${versions.length}:${Buffer.concat([iv, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64')}`
  }
  function open(text = ''): Buffer {
    const [, version = '', base64 = ''] = /^vault:v(\d+):(.+)$/.exec(text) ?? []
    const bytes = Buffer.from(base64, 'base64')
    const found = versions[Number(version) - 1]
    if (!found || Number(version) < state.oldest) throw new Error('ciphertext or signature version is disallowed by policy (too old)')
    const decipher = createDecipheriv('aes-256-gcm', found, bytes.subarray(0, 12)).setAuthTag(bytes.subarray(-16))
    return Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()])
  }
  function answer(path: string, body: Body): { status: number; data?: object; errors?: string[] } {
    const [, action] = new RegExp(`^/v1/${mount}/(datakey/plaintext|decrypt|rewrap)/${key}$`).exec(path) ?? []
    if (!action) return { status: 404, errors: [] }
    try {
      if (action === 'decrypt') return { status: 200, data: { plaintext: open(body.ciphertext).toString('base64') } }
      if (action === 'rewrap') return { status: 200, data: { ciphertext: seal(open(body.ciphertext)), key_version: versions.length } }
      const plain = randomBytes((body.bits ?? 256) / 8)
      return { status: 200, data: { plaintext: plain.toString('base64'), ciphertext: seal(plain), key_version: versions.length } }
    } catch (error) {
      return { status: 400, errors: [error instanceof Error ? error.message : ''] }
    }
  }

  const server = createServer((request, response) => {
    let text = ''
    request.on('data', (part: Buffer) => (text += part.toString()))
    request.on('end', () => {
      asked.push(request.url ?? '')
      const { status, ...body } = state.isSealed
        ? { status: 503, errors: ['Vault is sealed'] }
        : request.headers['x-vault-token'] === token
          ? answer(request.url ?? '', JSON.parse(text) as Body)
          : { status: 403, errors: ['permission denied'] }
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    asked,
    /** A new version of the key; with it alone the older ones open nothing any more. */
    rotate: () => void versions.push(randomBytes(32)),
    forgetOld: () => void (state.oldest = versions.length),
    seal: (isSealed = true) => void (state.isSealed = isSealed),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
