/** One mail to one SMTP server. nodemailer is loaded when the first mail is sent. */
import type { SMTPTransportOptions } from 'nodemailer/lib/smtp-transport'

export type Letter = { id: string; from: string; to: { name: string; address: string }; subject: string; text: string }
/** `mayHaveArrived`: the mail was under way when the server was heard no more. */
export type SmtpAnswer = { isDone: true } | { isDone: false; problem: string; mayRetry: boolean; mayHaveArrived: boolean }

const connectMs = 10_000
const silenceMs = 15_000

/** Never rejects. */
export async function sendBySmtp(url: string, { id, from, to, subject, text }: Letter): Promise<SmtpAnswer> {
  let isUnderWay = false
  const logger = transcript((command) => (isUnderWay ||= /^DATA\b/i.test(command)))
  try {
    const { createTransport } = await import('nodemailer')
    const transport = createTransport({ ...optionsOf(new URL(url)), debug: true, logger })
    // The same for all attempts, so that whoever gets it twice can tell.
    const messageId = `<${id}@${/@([^\s<>@]+)>?$/.exec(from)?.[1] ?? 'longhaul'}>`
    await transport.sendMail({
      from,
      to,
      subject,
      text,
      messageId,
      headers: { 'Auto-Submitted': 'auto-generated' },
      disableFileAccess: true,
      disableUrlAccess: true,
    })
    return { isDone: true }
  } catch (error) {
    return {
      isDone: false,
      problem: error instanceof Error ? error.message : String(error),
      mayRetry: !isFinal(error),
      mayHaveArrived: isUnderWay && !isAnswer(error),
    }
  }
}

const isAnswer = (error: unknown): boolean => error instanceof Error && 'responseCode' in error && Number(error.responseCode) >= 400

/** Hears what is said to the SMTP server, and keeps nothing of it: the library tells nowhere else how far it came. */
function transcript(onCommand: (command: string) => void): NonNullable<Exclude<SMTPTransportOptions['logger'], boolean>> {
  const hear = (entry: unknown, ...said: unknown[]): void => {
    if (typeof entry === 'object' && entry !== null && 'tnx' in entry && entry.tnx === 'client') onCommand(said.map(String).join(' '))
  }
  return { level: () => {}, trace: hear, debug: hear, info: hear, warn: hear, error: hear, fatal: hear }
}

/** What the server says of this mail or its recipient for good. A refused sign-in is about the setting, which somebody may put right. */
function isFinal(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || !('responseCode' in error)) return false
  return (error.code === 'EENVELOPE' || error.code === 'EMESSAGE') && Number(error.responseCode) >= 500
}

/** Links open accounts, so they go over TLS, unless the server is on this machine or `?requireTLS=false` says otherwise. */
export function optionsOf(url: URL): SMTPTransportOptions {
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1')
  const isHere = /^(localhost|127(\.\d{1,3}){3}|::1)$/.test(host)
  const secure = url.protocol === 'smtps:'
  return {
    host,
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    requireTLS: !secure && !isHere && url.searchParams.get('requireTLS') !== 'false',
    ...(url.username !== '' && { auth: { user: decodeURIComponent(url.username), pass: decodeURIComponent(url.password) } }),
    connectionTimeout: connectMs,
    greetingTimeout: connectMs,
    socketTimeout: silenceMs,
    dnsTimeout: connectMs,
  }
}
