/** What a request is beside its input: where it comes from, which cookies it brings, and which the answer sets. */
import type { Context } from 'hono'
import type { Asking } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { isLoopback } from './guard.ts'

/** `setCookie` without a value takes it away. */
export type Exchange = {
  asking: Asking
  readCookie(name: CookieName): string | undefined
  setCookie(name: CookieName, value: string | undefined): void
}

/**
 * `__Host-`: this host over TLS or on this machine, whole site, set by nobody else. The login is for our own pages only (Strict);
 * the mark of a known browser opens nothing.
 */
const cookies = { login: '__Host-longhaul', device: '__Host-longhaul-device', sso: '__Host-longhaul-sso' } as const
type CookieName = keyof typeof cookies
const ageS = { login: 400 * 86_400, device: 400 * 86_400, sso: 600 } // The server ends logins, not the browser.

export function readCookie(c: Context, name: CookieName): string | undefined {
  const prefix = `${cookies[name]}=`
  const found = (c.req.header('cookie') ?? '').split(';').find((part) => part.trim().startsWith(prefix))
  return found?.trim().slice(prefix.length)
}

export function openExchange(c: Context, publicUrl: string | undefined): Exchange {
  return {
    asking: { address: addressOf(c, publicUrl), agent: c.req.header('user-agent') ?? '', device: readCookie(c, 'device'), origin: originOf(c, publicUrl) },
    readCookie: (name) => readCookie(c, name),
    setCookie(name, value) {
      const line = `${cookies[name]}=${value ?? ''}; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=${value === undefined ? 0 : ageS[name]}`
      c.header('set-cookie', line, { append: true })
    },
  }
}

/** What people see in their browser's address line: where a provider sends them back to, and what their passkeys are for. */
const originOf = (c: Context, publicUrl: string | undefined): string =>
  publicUrl === undefined ? `http://${c.req.header('host') ?? new URL(c.req.url).host}` : new URL(publicUrl).origin

/** The other end of the connection. Of a proxy on this machine, in front of `publicUrl`, the one that it names last. */
export function addressOf(c: Context, publicUrl: string | undefined): string {
  const env = c.env as { incoming?: { socket?: { remoteAddress?: string } } } | undefined // What @hono/node-server hands over; a test hands over nothing.
  const peer = env?.incoming?.socket?.remoteAddress?.replace(/^::ffff:/, '') ?? 'unknown'
  const named = publicUrl === undefined || !isLoopback(peer) ? undefined : c.req.header('x-forwarded-for')?.split(',').at(-1)?.trim()
  return (named || peer).slice(0, 64)
}

/** Only pages of ours may change anything with a cookie, or sign somebody in. Programs send no Origin, and no cookie either. */
export function assertOwnPage(c: Context, publicUrl: string | undefined): void {
  const origin = c.req.header('origin')
  const site = c.req.header('sec-fetch-site')
  const host = c.req.header('host') ?? new URL(c.req.url).host
  const isOurs =
    origin === undefined || (URL.canParse(origin) && new URL(origin).host === host) || (publicUrl !== undefined && origin === new URL(publicUrl).origin)
  if (!isOurs || (site !== undefined && site !== 'same-origin' && site !== 'none'))
    throw new AppError('forbidden', 'Pages of another site may not do this. Behind a proxy, LONGHAUL_PUBLIC_URL has to be the address that people use.')
}
