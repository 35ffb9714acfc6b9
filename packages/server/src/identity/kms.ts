/** Key services: they keep a key that never leaves them, under which the master key is encrypted. One adapter: the transit engine of HashiCorp Vault and OpenBao. */
import { AppError } from '../kernel/index.ts'

export type Kms = {
  /** Of the key, for the table of wrapped keys: a key of another service is not asked of this one. */
  name: string
  /** 32 new bytes, and the same as only the service can open them. */
  makeKey(): Promise<{ plain: Buffer; wrapped: string }>
  unwrap(wrapped: string): Promise<Buffer>
  /** Under the newest version of its key, without the bytes leaving the service. */
  rewrap(wrapped: string): Promise<string>
}

export type VaultOptions = {
  url: string
  token: string
  /** Where the transit engine is mounted, and the name of its key. */
  mount: string
  key: string
  timeoutMs?: number
}

const answerCharsMax = 100_000

/** Its HTTP API: https://developer.hashicorp.com/vault/api-docs/secret/transit. All throw `unavailable` with what to do. */
export function openVault({ url, token, mount, key, timeoutMs = 10_000 }: VaultOptions): Kms {
  const base = url.replace(/\/+$/, '')
  const place = `The key service at ${base}`

  async function ask(action: string, body: object): Promise<Record<string, unknown>> {
    const path = `${mount}/${action}/${encodeURIComponent(key)}`
    let response: Response
    let text: string
    try {
      response = await fetch(`${base}/v1/${path}`, {
        method: 'POST',
        redirect: 'error', // The token is for this address.
        headers: { 'content-type': 'application/json', 'x-vault-token': token, 'x-vault-request': 'true' },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(timeoutMs),
      })
      text = (await response.text()).slice(0, answerCharsMax)
    } catch (cause) {
      throw new AppError(
        'unavailable',
        `${place} does not answer (${whyNot(cause)}), and without it the master key cannot be had. Is it running, and LONGHAUL_VAULT_URL right?`,
        cause,
      )
    }
    const answer = parse(text)
    if (response.ok && answer?.data) return answer.data
    throw new AppError('unavailable', `${place} answered ${response.status} to ${path}${said(answer)}. ${remedy(response.status, path)}`)
  }

  const bytes = (text: unknown): Buffer => {
    const plain = Buffer.from(typeof text === 'string' ? text : '', 'base64')
    if (plain.length !== 32) throw new AppError('unavailable', `${place} did not answer with a key of 32 bytes. Is it Vault’s transit engine?`)
    return plain
  }
  const sealed = (text: unknown): string => {
    if (typeof text !== 'string' || !/^vault:v\d+:/.test(text)) throw new AppError('unavailable', `${place} did not answer with what Vault encrypts.`)
    return text
  }

  return {
    name: `vault ${mount}/${key}`,
    async makeKey() {
      const { plaintext, ciphertext } = await ask('datakey/plaintext', { bits: 256 })
      return { plain: bytes(plaintext), wrapped: sealed(ciphertext) }
    },
    unwrap: async (wrapped) => bytes((await ask('decrypt', { ciphertext: wrapped }))['plaintext']),
    rewrap: async (wrapped) => sealed((await ask('rewrap', { ciphertext: wrapped }))['ciphertext']),
  }
}

type Answer = { data?: Record<string, unknown>; errors?: unknown }

function parse(text: string): Answer | undefined {
  try {
    const answer: unknown = JSON.parse(text)
    return typeof answer === 'object' && answer !== null ? (answer as Answer) : undefined // Each field is looked at where it is used.
  } catch {
    return undefined // Not Vault's.
  }
}

const said = (answer: Answer | undefined): string => {
  const errors = Array.isArray(answer?.errors) ? answer.errors.filter((each) => typeof each === 'string').join('; ') : ''
  return errors === '' ? '' : ` (${errors.slice(0, 200)})`
}

function remedy(status: number, path: string): string {
  if (status === 403) return `The token in LONGHAUL_VAULT_TOKEN is unknown, has expired, or its policy lacks "update" on ${path}.`
  if (status === 404)
    return 'Enable the transit engine there and make the key: vault secrets enable transit; vault write -f transit/keys/<name>. See LONGHAUL_VAULT_MOUNT and LONGHAUL_VAULT_KEY.'
  if (status === 503) return 'It is sealed: unseal it, and start again.'
  if (status === 400) return 'The key is another than the one that encrypted, or its old versions were taken away (min_decryption_version).'
  return 'Its own log says why.'
}

function whyNot(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const { code } = (error.cause ?? {}) as { code?: string }
  return error.name === 'TimeoutError' ? 'no answer in time' : (code ?? error.message)
}
