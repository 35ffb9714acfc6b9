/** What every response tells the browser, and which addresses a server for this machine alone answers to. */
import { AppError } from '../kernel/index.ts'

export const securityHeaders = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'x-frame-options': 'DENY',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const

export const apiPolicy = "default-src 'none'; frame-ancestors 'none'"
export const consolePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "font-src 'self'",
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
/** A file may be anything that a tool made, also a page with scripts: it gets no rights and an origin of its own. */
export const filePolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"

export type AddressCheck = (host: string | undefined, origin: string | undefined) => void

/**
 * A page in this machine's browser can make its own name point to 127.0.0.1 and then speak to us as its own origin. The Host header
 * still says that name. So while we listen on the loopback interface only, we answer to no names but the ones of this machine and
 * that of `publicUrl`, behind which a proxy on the same machine may stand.
 */
export function addressCheck(listenHost: string, publicUrl?: string): AddressCheck {
  if (!isLoopback(listenHost)) return () => {}
  const publicHost = publicUrl && new URL(publicUrl).hostname
  const isOurs = (name: string) => isLoopback(name) || name === publicHost
  return (host, origin) => {
    const name = host && hostname(`http://${host}`)
    if (name === undefined || !isOurs(name)) {
      throw new AppError(
        'forbidden',
        `This server answers on this machine only, and not to the name ${JSON.stringify(host ?? '')}. Use http://localhost, or set LONGHAUL_PUBLIC_URL.`,
      )
    }
    const from = origin && hostname(origin)
    if (origin && (from === undefined || !isOurs(from))) throw new AppError('forbidden', `Pages of ${JSON.stringify(origin)} may not use this server.`)
  }
}

/** `URL` also turns 127.1 and 0x7f000001 into their usual form. */
function hostname(url: string): string | undefined {
  return URL.canParse(url) ? new URL(url).hostname : undefined
}

export const isLoopback = (name: string): boolean => /^(localhost|.+\.localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(name)
