/** What of a provider's tokens is believed: published keys and tokens of RFC 7515 and RFC 7520, and every known way to have a token believed that is not the provider's. */
import { type KeyObject, constants, createHmac, createPrivateKey, createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { AppError } from '../kernel/index.ts'
import { claimsOf } from './openid.ts'

type Fields = Record<string, Json>
const issuer = 'https://provider.example'
const client = { issuer, clientId: 'longhaul', clientSecret: 'the secret of the client, which is long enough' }
const expected = { state: 'state', nonce: 'nonce', verifier: 'v'.repeat(43), redirectUri: 'https://longhaul.example/sign-in/return' }

/** RFC 7515, A.3.1: its key; and RFC 7515, A.2.1: the public half. */
const published = {
  kty: 'EC',
  crv: 'P-256',
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
}
const ec = createPrivateKey({ key: { ...published, d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI' }, format: 'jwk' })
const publishedRsa = {
  kty: 'RSA',
  n: 'ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ',
  e: 'AQAB',
}
const payload = 'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ'
/** RFC 7520, 3.4 and 3.2: keys under one id, which the provider may have as well as other algorithms. */
const bilbo = {
  rsa: {
    ...{ kty: 'RSA', kid: 'bilbo.baggins@hobbiton.example', use: 'sig', e: 'AQAB' },
    n: 'n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw',
  },
  ec: {
    ...{ kty: 'EC', kid: 'bilbo.baggins@hobbiton.example', use: 'sig', crv: 'P-521' },
    x: 'AHKZLLOsCOzz5cY97ewNUajB957y-C-U88c3v13nmGZx6sYl_oJXu9A5RkTKqjqvjyekWF-7ytDyRXYgCF5cj0Kt',
    y: 'AdymlHvOiLxXkEhayXQnNCvDX4h9htZaCJN34kfmC6pV5OhQHiraVySsUdaQkAgDPrwQrJmbnX9cwlGfP-HqHZR1',
  },
}
const road =
  'SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9hZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3ZXB0IG9mZiB0by4'
const vectors = {
  'RFC 7515 A.1, HS256': `eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.${payload}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`,
  'RFC 7515 A.2, RS256': `eyJhbGciOiJSUzI1NiJ9.${payload}.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw`,
  'RFC 7515 A.3, ES256': `eyJhbGciOiJFUzI1NiJ9.${payload}.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q`,
  'RFC 7520 4.1, RS256': `eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${road}.MRjdkly7_-oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_fcIe8u9ipH84ogoree7vjbU5y18kDquDg`,
  'RFC 7520 4.2, PS384': `eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${road}.cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw`,
  'RFC 7520 4.3, ES512': `eyJhbGciOiJFUzUxMiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9.${road}.AE_R_YZCChjn4791jSQCrdPZCNYqHXCTZH0-JZGYNlaAjP2kqaluUIIUnC9qvbu9Plon7KRTzoNEuT4Va2cmL1eJAQy3mtPBu_u_sDDyYjnAMDxXPn7XrT0lw-kvAD890jl8e2puQens_IEKBpHABlsbEPX6sFY8OcGDqoRuBomu9xQ2`,
  'RFC 7515 A.5, none': `eyJhbGciOiJub25lIn0.${payload}.`,
} as const

const own = generateKeyPairSync('rsa', { modulusLength: 2048 })
const others = generateKeyPairSync('rsa', { modulusLength: 2048 })
const jwks = [
  { ...own.publicKey.export({ format: 'jwk' }), kid: 'own', use: 'sig' },
  { ...published, kid: 'A.3', use: 'sig' },
  { ...publishedRsa, kid: 'A.2', use: 'sig' },
  bilbo.rsa,
  bilbo.ec,
]
const nowS = () => Math.floor(Date.now() / 1_000)
const claims = (more: Fields = {}): Fields => ({ iss: issuer, sub: 'ada', aud: 'longhaul', iat: nowS(), exp: nowS() + 300, nonce: 'nonce', ...more })
const encode = (part: unknown) => Buffer.from(typeof part === 'string' ? part : JSON.stringify(part)).toString('base64url')

type Signer = (input: string) => string
const rs256 =
  (key: KeyObject): Signer =>
  (input) =>
    sign('sha256', Buffer.from(input), key).toString('base64url')
const es256: Signer = (input) => sign('sha256', Buffer.from(input), { key: ec, dsaEncoding: 'ieee-p1363' }).toString('base64url')
const hs256 =
  (secret: string | Buffer): Signer =>
  (input) =>
    createHmac('sha256', secret).update(input).digest('base64url')
const nobody: Signer = () => ''
const make = (header: Fields | string, body: Fields | string, by: Signer): string => {
  const input = `${encode(header)}.${encode(body)}`
  return `${input}.${by(input)}`
}
const mine = rs256(own.privateKey)
const honest = { alg: 'RS256', kid: 'own' }

/** Signs in at a provider that answers with this ID token. `asked`: which addresses were asked. */
async function signIn(token: string, discovery: Fields = {}, keys: object[] = jwks): Promise<{ subject?: string; refusal?: string; asked: string[] }> {
  const asked: string[] = []
  const answers: Record<string, unknown> = {
    '/.well-known/openid-configuration': {
      issuer,
      authorization_endpoint: `${issuer}/login`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      id_token_signing_alg_values_supported: ['RS256', 'ES256'],
      ...discovery,
    },
    '/token': { access_token: 'a', token_type: 'bearer', id_token: token },
    '/keys': { keys },
  }
  const fetch = async (url: string) => {
    const { origin, pathname } = new URL(url)
    asked.push(origin === issuer ? pathname : url)
    return origin === issuer && pathname in answers ? Response.json(answers[pathname]) : new Response('', { status: 404 })
  }
  try {
    return { subject: (await claimsOf(client, expected, 'code=c&state=state', fetch)).subject, asked }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { refusal: `${error.code}: ${error.message}`, asked }
  }
}

test('the published keys and tokens are what they are said to be', () => {
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  for (const [name, key, hash, how] of [
    ['RFC 7515 A.2, RS256', publishedRsa, 'sha256', {}],
    ['RFC 7515 A.3, ES256', published, 'sha256', { dsaEncoding: 'ieee-p1363' }],
    ['RFC 7520 4.1, RS256', bilbo.rsa, 'sha256', {}],
    ['RFC 7520 4.2, PS384', bilbo.rsa, 'sha384', pss],
    ['RFC 7520 4.3, ES512', bilbo.ec, 'sha512', { dsaEncoding: 'ieee-p1363' }],
  ] as const) {
    const [header, body, signature = ''] = vectors[name].split('.')
    const publicKey = createPublicKey({ key, format: 'jwk' })
    expect(verify(hash, Buffer.from(`${header}.${body}`), { key: publicKey, ...how }, Buffer.from(signature, 'base64url')), name).toBe(true)
  }
})

test.each<[string, string]>([
  ['RS256 by the provider’s key', make(honest, claims(), mine)],
  ['RS256 without a key id, where only one can be meant', make({ alg: 'ES256' }, claims(), es256)],
  ['ES256 by the key of RFC 7515 A.3', make({ alg: 'ES256', kid: 'A.3' }, claims(), es256)],
  ['several audiences, ours authorized', make(honest, claims({ aud: ['longhaul', 'shop'], azp: 'longhaul' }), mine)],
  ['a header with what says nothing', make({ ...honest, typ: 'JWT', x: 'y' }, claims(), mine)],
])('believed: %s', async (_, token) => {
  expect(await signIn(token)).toMatchObject({ subject: 'ada' })
})

test.each(Object.entries(vectors))('the published token %s is nobody’s sign-in here, although its key may be the provider’s', async (_, token) => {
  for (const algorithms of [
    ['RS256', 'ES256'],
    ['RS256', 'PS384', 'ES512', 'HS256', 'none'],
  ])
    expect(await signIn(token, { id_token_signing_alg_values_supported: algorithms })).toMatchObject({ refusal: expect.stringMatching(/^unauthenticated: /) })
})

test('PS384 and ES512 are believed of a provider that names them, by keys under one id, and of no other', async () => {
  const keys = { rsa: generateKeyPairSync('rsa', { modulusLength: 2048 }), ec: generateKeyPairSync('ec', { namedCurve: 'P-521' }) }
  const kid = 'both'
  const published = [keys.rsa, keys.ec].map(({ publicKey }) => ({ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig' }))
  const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
  const tokens = {
    PS384: make({ alg: 'PS384', kid }, claims(), (input) => sign('sha384', Buffer.from(input), { key: keys.rsa.privateKey, ...pss }).toString('base64url')),
    ES512: make({ alg: 'ES512', kid }, claims(), (input) =>
      sign('sha512', Buffer.from(input), { key: keys.ec.privateKey, dsaEncoding: 'ieee-p1363' }).toString('base64url'),
    ),
  }
  for (const [alg, token] of Object.entries(tokens)) {
    expect(await signIn(token, { id_token_signing_alg_values_supported: [alg] }, published)).toMatchObject({ subject: 'ada' })
    expect(await signIn(token, {}, published)).toMatchObject({ refusal: expect.stringMatching(/^unauthenticated: /) })
  }
})

const [honestHeader = '', honestBody = '', honestSignature = ''] = make(honest, claims(), mine).split('.')
const ownPem = own.publicKey.export({ type: 'spki', format: 'pem' }).toString()
const theirs = { ...others.publicKey.export({ format: 'jwk' }), kid: 'own' } as Fields

test.each<[string, string]>([
  ['alg none', make({ alg: 'none' }, claims(), nobody)],
  ['alg None', make({ alg: 'None' }, claims(), nobody)],
  ['alg none with a signature', make({ alg: 'none', kid: 'own' }, claims(), mine)],
  ['no alg', make({ kid: 'own' }, claims(), mine)],
  ['alg as a list', make({ alg: ['RS256'], kid: 'own' }, claims(), mine)],
  ['HS256 with the public key as PEM', make({ alg: 'HS256', kid: 'own' }, claims(), hs256(ownPem))],
  ['HS256 with the public key as DER', make({ alg: 'HS256', kid: 'own' }, claims(), hs256(own.publicKey.export({ type: 'spki', format: 'der' })))],
  ['HS256 with the modulus', make({ alg: 'HS256', kid: 'own' }, claims(), hs256(Buffer.from(String(jwks[0]?.['n' as never]), 'base64url')))],
  ['HS256 with the client secret', make({ alg: 'HS256' }, claims(), hs256(client.clientSecret))],
  ['HS256 with nothing', make({ alg: 'HS256' }, claims(), hs256(''))],
  ['RS256 said, ES256 done', make(honest, claims(), es256)],
  ['ES256 said of an RSA key', make({ alg: 'ES256', kid: 'own' }, claims(), mine)],
  [
    'an algorithm that the provider does not name',
    make({ alg: 'RS512', kid: 'own' }, claims(), (input) => sign('sha512', Buffer.from(input), own.privateKey).toString('base64url')),
  ],
  ['a key that is not the provider’s', make(honest, claims(), rs256(others.privateKey))],
  ['the id of another key', make({ alg: 'RS256', kid: 'A.2' }, claims(), mine)],
  ['the id of no key', make({ alg: 'RS256', kid: '../../dev/null' }, claims(), mine)],
  ['a key id that is no text', make({ alg: 'RS256', kid: { own: true } }, claims(), mine)],
  ['its own key in jwk', make({ alg: 'RS256', jwk: theirs }, claims(), rs256(others.privateKey))],
  ['its own key in jwk, under the right id', make({ ...honest, jwk: theirs }, claims(), rs256(others.privateKey))],
  ['its own keys at jku', make({ ...honest, jku: 'https://evil.example/keys' }, claims(), rs256(others.privateKey))],
  ['its own keys at x5u', make({ ...honest, x5u: 'https://evil.example/chain' }, claims(), rs256(others.privateKey))],
  ['its own keys in x5c', make({ ...honest, x5c: ['MIIB'] }, claims(), rs256(others.privateKey))],
  ['what must be understood and is not', make({ ...honest, crit: ['exp'], exp: 1 }, claims(), mine)],
  ['crit of nothing', make({ ...honest, crit: [] }, claims(), mine)],
  ['an unencoded payload (RFC 7797)', make({ ...honest, b64: false, crit: ['b64'] }, claims(), mine)],
  ['expired', make(honest, claims({ exp: nowS() - 300 }), mine)],
  ['no end', make(honest, claims({ exp: undefined as never }), mine)],
  ['an end that is no number', make(honest, claims({ exp: `${nowS() + 300}` }), mine)],
  ['not yet', make(honest, claims({ nbf: nowS() + 300 }), mine)],
  ['no beginning', make(honest, claims({ iat: undefined as never }), mine)],
  ['another audience', make(honest, claims({ aud: 'shop' }), mine)],
  ['ours among audiences, somebody else authorized', make(honest, claims({ aud: ['longhaul', 'shop'], azp: 'shop' }), mine)],
  ['no audience', make(honest, claims({ aud: undefined as never }), mine)],
  ['another issuer', make(honest, claims({ iss: 'https://evil.example' }), mine)],
  ['the issuer with a slash', make(honest, claims({ iss: `${issuer}/` }), mine)],
  ['another nonce', make(honest, claims({ nonce: 'other' }), mine)],
  ['no subject', make(honest, claims({ sub: undefined as never }), mine)],
  ['a subject that is no text', make(honest, claims({ sub: 7 }), mine)],
  [
    'one audience after another under one name',
    make(
      honest,
      JSON.stringify(claims())
        .replace('{', '{"aud":"longhaul",')
        .replace(/"aud":"longhaul"(?=,"iat)/, '"aud":"shop"'),
      mine,
    ),
  ],
  ['a header that says alg twice', make('{"alg":"RS256","kid":"own","alg":"none"}', claims(), nobody)],
  ['a body that is no object', make(honest, '["ada"]', mine)],
  ['a body that is no JSON', make(honest, 'ada', mine)],
  ['a body cut off', `${honestHeader}.${honestBody.slice(0, -4)}.${honestSignature}`],
  ['a signature cut off', `${honestHeader}.${honestBody}.${honestSignature.slice(0, -4)}`],
  ['no signature', `${honestHeader}.${honestBody}.`],
  ['two parts', `${honestHeader}.${honestBody}`],
  ['four parts', `${honestHeader}.${honestBody}.${honestSignature}.${honestSignature}`],
  ['five parts, as if it were encrypted', `${honestHeader}.${honestBody}.${honestSignature}.a.b`],
  ['another body under the same signature', `${honestHeader}.${encode(claims({ sub: 'boss' }))}.${honestSignature}`],
  ['another header under the same signature', `${encode({ ...honest, typ: 'JWT' })}.${honestBody}.${honestSignature}`],
  ['a flipped bit', `${honestHeader}.${honestBody}.${honestSignature.startsWith('A') ? 'B' : 'A'}${honestSignature.slice(1)}`],
  ['an ES256 signature of zeros', make({ alg: 'ES256', kid: 'A.3' }, claims(), () => Buffer.alloc(64).toString('base64url'))],
  ['an ES256 signature as DER', make({ alg: 'ES256', kid: 'A.3' }, claims(), (input) => sign('sha256', Buffer.from(input), ec).toString('base64url'))],
  ['nothing', ''],
])('refused: %s', async (_, token) => {
  const { refusal, subject, asked } = await signIn(token)
  expect(subject).toBeUndefined()
  expect(refusal).toMatch(/^unauthenticated: /)
  expect(asked.filter((address) => !address.startsWith('/'))).toEqual([]) // Nobody is asked for keys but the provider.
})

test('a provider that says of itself that it does not sign, or signs with the client’s secret, is not believed either', async () => {
  const unsigned = make({ alg: 'none' }, claims(), nobody)
  expect(await signIn(unsigned, { id_token_signing_alg_values_supported: ['none'] })).toMatchObject({ refusal: expect.any(String) })
  const shared = make({ alg: 'HS256' }, claims(), hs256(client.clientSecret))
  expect(await signIn(shared, { id_token_signing_alg_values_supported: ['HS256'] })).toMatchObject({ refusal: expect.any(String) })
})
