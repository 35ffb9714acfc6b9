/** An authenticator in software, as the WebAuthn standard has it: keys, COSE, CBOR, counters and signatures, and what one that lies would send. */
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'
import type { Json } from '@longhaul/protocol'

type Cbor = number | string | Buffer | Map<Cbor, Cbor>

/** What this file needs of RFC 8949. */
function cbor(value: Cbor): Buffer {
  const head = (major: number, length: number) =>
    length < 24
      ? Buffer.from([(major << 5) | length])
      : length < 256
        ? Buffer.from([(major << 5) | 24, length])
        : Buffer.from([(major << 5) | 25, length >> 8, length & 255])
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  return Buffer.concat([head(5, value.size), ...[...value].flatMap(([key, each]) => [cbor(key), cbor(each)])])
}

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest()
const flags = { present: 1, verified: 4, backupEligible: 8, attested: 64 }
type Lie = { origin?: string; host?: string; type?: string; counter?: number; isVerified?: boolean; challenge?: string; crossOrigin?: boolean; handle?: string }
type Options = Record<string, unknown>

/** One credential. `lie` changes what an honest browser and authenticator would say. */
export function makeAuthenticator({ origin = 'http://localhost', isSynced = false } = {}) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const id = randomBytes(32)
  let counter = 0
  let handle = ''
  const clientData = (type: string, options: Options, lie: Lie) =>
    Buffer.from(
      JSON.stringify({
        type: lie.type ?? type,
        challenge: lie.challenge ?? options['challenge'],
        origin: lie.origin ?? origin,
        crossOrigin: lie.crossOrigin ?? false,
      }),
    )
  const authenticatorData = (extra: number, lie: Lie) => {
    const data = Buffer.alloc(37)
    sha256(lie.host ?? new URL(origin).hostname).copy(data)
    data[32] = flags.present | (lie.isVerified === false ? 0 : flags.verified) | (isSynced ? flags.backupEligible : 0) | extra
    data.writeUInt32BE(lie.counter ?? (isSynced ? 0 : ++counter), 33)
    return data
  }
  const text = (data: Buffer) => data.toString('base64url')
  const shell = { id: text(id), rawId: text(id), type: 'public-key' as const, clientExtensionResults: {} }
  return {
    id: text(id),
    create(options: Options, lie: Lie = {}): Json {
      handle = (options['user'] as { id: string }).id
      const { x, y } = publicKey.export({ format: 'jwk' })
      const cose = new Map<Cbor, Cbor>([
        [1, 2],
        [3, -7],
        [-1, 1],
        [-2, Buffer.from(x ?? '', 'base64url')],
        [-3, Buffer.from(y ?? '', 'base64url')],
      ])
      const length = Buffer.from([0, id.length])
      const authData = Buffer.concat([authenticatorData(flags.attested, lie), Buffer.alloc(16), length, id, cbor(cose)])
      const attestationObject = cbor(new Map<Cbor, Cbor>([['fmt', 'none'], ['attStmt', new Map()], ['authData', authData]])) // prettier-ignore
      return {
        ...shell,
        response: { clientDataJSON: text(clientData('webauthn.create', options, lie)), attestationObject: text(attestationObject), transports: ['internal'] },
      }
    },
    get(options: Options, lie: Lie = {}): Json {
      const data = authenticatorData(0, lie)
      const client = clientData('webauthn.get', options, lie)
      const signature = sign('sha256', Buffer.concat([data, sha256(client)]), privateKey)
      const response = { clientDataJSON: text(client), authenticatorData: text(data), signature: text(signature), userHandle: lie.handle ?? handle }
      return { ...shell, response }
    },
  }
}
export type Authenticator = ReturnType<typeof makeAuthenticator>
