/**
 * The certificate authority of one sandbox: trusted there and nowhere else, made when its proxy is opened and forgotten with it. Certificates
 * are X.509 (RFC 5280) with P-256 keys, written in DER: a dozen fields, for which no library is needed.
 */
import { type KeyObject, createHash, generateKeyPairSync, sign } from 'node:crypto'
import { type SecureContext, createSecureContext } from 'node:tls'
import { newId, wallClock } from '../../kernel/index.ts'

export type Authority = {
  /** Its own certificate, in PEM. */
  readonly certificate: string
  /** What a server of this name shows. */
  contextFor(host: string): SecureContext
}

const day = 24 * 3_600_000
const authorityMs = 365 * day
const contextsMax = 200

export function createAuthority(name: string): Authority {
  const own = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const issuer = { name: `Longhaul sandbox ${name}`, key: own.privateKey, keyId: keyIdOf(own.publicKey) }
  const isAuthority = [
    extension('2.5.29.19', sequence(der(0x01, Buffer.from([0xff])), integer(Buffer.from([0]))), true),
    extension('2.5.29.15', bits(0x06, 1), true),
  ]
  const certificate = certify(issuer, issuer.name, own.publicKey, isAuthority)
  const contexts = new Map<string, SecureContext>()

  function contextFor(host: string): SecureContext {
    const known = contexts.get(host)
    if (known) return known
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const isServer = [
      extension('2.5.29.17', sequence(der(0x82, Buffer.from(host, 'latin1')))),
      extension('2.5.29.37', sequence(oid('1.3.6.1.5.5.7.3.1'))),
      extension('2.5.29.19', sequence(), true),
      extension('2.5.29.15', bits(0x80, 7), true),
    ]
    const context = createSecureContext({
      key: privateKey.export({ type: 'pkcs8', format: 'pem' }),
      cert: certify(issuer, host.slice(0, 64), publicKey, isServer) + certificate,
    })
    if (contexts.size >= contextsMax) contexts.clear()
    contexts.set(host, context)
    return context
  }
  return { certificate, contextFor }
}

type Issuer = { name: string; key: KeyObject; keyId: Buffer }

function certify(issuer: Issuer, subject: string, key: KeyObject, extensions: Buffer[]): string {
  const now = wallClock().getTime()
  const algorithm = sequence(oid('1.2.840.10045.4.3.2')) // ecdsa-with-SHA256
  const serial = Buffer.from(newId().replaceAll('-', ''), 'hex')
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40 // Positive, and of full length.
  const identifiers = [extension('2.5.29.14', der(0x04, keyIdOf(key))), extension('2.5.29.35', sequence(der(0x80, issuer.keyId)))]
  const body = sequence(
    der(0xa0, integer(Buffer.from([2]))),
    integer(serial),
    algorithm,
    commonName(issuer.name),
    sequence(time(now - day), time(now + authorityMs)),
    commonName(subject),
    key.export({ type: 'spki', format: 'der' }),
    der(0xa3, sequence(...extensions, ...identifiers)),
  )
  const signature = sign('sha256', body, issuer.key)
  const bytes = sequence(body, algorithm, der(0x03, Buffer.concat([Buffer.from([0]), signature])))
  return `-----BEGIN CERTIFICATE-----\n${bytes.toString('base64').replaceAll(/(.{64})(?!$)/g, '$1\n')}\n-----END CERTIFICATE-----\n`
}

const keyIdOf = (key: KeyObject): Buffer =>
  createHash('sha1')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest()

function der(tag: number, content: Buffer): Buffer {
  const { length } = content
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}
const sequence = (...parts: Buffer[]) => der(0x30, Buffer.concat(parts))
const integer = (bytes: Buffer) => der(0x02, bytes)
const bits = (value: number, unusedCount: number) => der(0x03, Buffer.from([unusedCount, value]))
const commonName = (text: string) => sequence(der(0x31, sequence(oid('2.5.4.3'), der(0x0c, Buffer.from(text)))))
const extension = (id: string, value: Buffer, isCritical = false) =>
  sequence(oid(id), ...(isCritical ? [der(0x01, Buffer.from([0xff]))] : []), der(0x04, value))
const time = (ms: number) => der(0x18, Buffer.from(`${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(0, 14)}Z`))

function oid(text: string): Buffer {
  const [first = 0, second = 0, ...rest] = text.split('.').map(Number)
  const bytes = [first * 40 + second]
  for (const part of rest) {
    const digits = [part & 0x7f]
    for (let left = part >> 7; left > 0; left >>= 7) digits.unshift((left & 0x7f) | 0x80)
    bytes.push(...digits)
  }
  return der(0x06, Buffer.from(bytes))
}
