/** What a request is beside its input: where it comes from, which cookies it brings, and which the answer sets. */
import type { Asking } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { isLoopback } from './guard.ts'

/** What of a request is looked at, whichever way it came. */
export type Asks = {
  header(name: string): string | undefined
  /** Of the other end of its connection. */
  peer: string | undefined
}

/** `setCookie` without a value takes it away. */
export type Exchange = {
  asking: Asking
  readCookie(name: CookieName): string | undefined
  setCookie(name: CookieName, value: string | undefined): void
  /** Under which the request may change something (RFC 9110), as it says. */
  precondition: { ifMatch: string | undefined; ifNoneMatch: string | undefined }
  /** Of the answer, whether it is an error or not. */
  addHeader(name: string, value: string): void
}

/**
 * `__Host-`: this host over TLS or on this machine, whole site, set by nobody else. The login is for our own pages only (Strict);
 * the mark of a known browser opens nothing.
 */
const cookies = { login: '__Host-longhaul', device: '__Host-longhaul-device', sso: '__Host-longhaul-sso' } as const
type CookieName = keyof typeof cookies
const ageS = { login: 400 * 86_400, device: 400 * 86_400, sso: 600 } // The server ends logins, not the browser.

export function readCookie(asks: Asks, name: CookieName): string | undefined {
  const prefix = `${cookies[name]}=`
  const found = (asks.header('cookie') ?? '').split(';').find((part) => part.trim().startsWith(prefix))
  return found?.trim().slice(prefix.length)
}

/** `addHeader` is given what the answer has to carry; of `set-cookie` each line. */
export function openExchange(asks: Asks, publicUrl: string | undefined, addHeader: (name: string, value: string) => void): Exchange {
  return {
    asking: {
      address: addressOf(asks, publicUrl),
      agent: asks.header('user-agent') ?? '',
      device: readCookie(asks, 'device'),
      origin: originOf(asks, publicUrl),
    },
    readCookie: (name) => readCookie(asks, name),
    setCookie: (name, value) =>
      addHeader('set-cookie', `${cookies[name]}=${value ?? ''}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${value === undefined ? 0 : ageS[name]}`),
    precondition: { ifMatch: asks.header('if-match'), ifNoneMatch: asks.header('if-none-match') },
    addHeader,
  }
}

/** What people see in their browser's address line: where a provider sends them back to, and what their passkeys are for. */
const originOf = (asks: Asks, publicUrl: string | undefined): string =>
  publicUrl === undefined ? `http://${asks.header('host') ?? 'localhost'}` : new URL(publicUrl).origin

/** The other end of the connection. Of a proxy on this machine, in front of `publicUrl`, the one that it names last. */
export function addressOf(asks: Asks, publicUrl: string | undefined): string {
  const peer = asks.peer?.replace(/^::ffff:/, '') ?? 'unknown'
  const named = publicUrl === undefined || !isLoopback(peer) ? undefined : asks.header('x-forwarded-for')?.split(',').at(-1)?.trim()
  return (named || peer).slice(0, 64)
}

/** Only pages of ours may change anything with a cookie, or sign somebody in. Programs send no Origin, and no cookie either. */
export function assertOwnPage(asks: Asks, publicUrl: string | undefined): void {
  const origin = asks.header('origin')
  const site = asks.header('sec-fetch-site')
  const isOurs =
    origin === undefined ||
    (URL.canParse(origin) && new URL(origin).host === asks.header('host')) ||
    (publicUrl !== undefined && origin === new URL(publicUrl).origin)
  if (!isOurs || (site !== undefined && site !== 'same-origin' && site !== 'none'))
    throw new AppError('forbidden', 'Pages of another site may not do this. Behind a proxy, LONGHAUL_PUBLIC_URL has to be the address that people use.')
}
