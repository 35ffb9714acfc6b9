/** What mails say: plain text, in the language of whoever gets them as far as it is known. */
import type { LinkMailKind, MailLanguage } from './mail-store.ts'

export type Facts = { name: string; tenantId: string; host: string; link: string; expiresAt: Date }
export type Text = { subject: string; body: string }

export const textOf = (kind: LinkMailKind, language: MailLanguage, facts: Facts): Text => texts[language][kind](facts)

const texts: Record<MailLanguage, Record<LinkMailKind, (facts: Facts) => Text>> = {
  en: {
    invitation: (facts) => ({
      subject: `Your invitation to Longhaul at ${facts.host}`,
      body: english(facts, `You are invited to Longhaul at ${facts.host}, in the tenant ${facts.tenantId}. Choose your password here:`, notExpected.en),
    }),
    link: (facts) => ({
      subject: `A new link for Longhaul at ${facts.host}`,
      body: english(facts, `Somebody who manages people at ${facts.host} made you a link under which you choose a new password:`, notExpected.en),
    }),
    reset: (facts) => ({
      subject: `Your password for Longhaul at ${facts.host}`,
      body: english(facts, `Somebody asked for a new password for you at ${facts.host}, in the tenant ${facts.tenantId}. Choose it here:`, notAsked.en),
    }),
  },
  zh: {
    invitation: (facts) => ({
      subject: `邀请您加入 ${facts.host} 上的 Longhaul`,
      body: chinese(facts, `您受邀加入 ${facts.host} 上的 Longhaul，租户为 ${facts.tenantId}。请在此设置密码：`, notExpected.zh),
    }),
    link: (facts) => ({
      subject: `${facts.host} 上 Longhaul 的新链接`,
      body: chinese(facts, `${facts.host} 的成员管理者为您生成了一个链接，请在此设置新密码：`, notExpected.zh),
    }),
    reset: (facts) => ({
      subject: `您在 ${facts.host} 上的 Longhaul 密码`,
      body: chinese(facts, `有人为您在 ${facts.host}（租户 ${facts.tenantId}）申请了新密码。请在此设置：`, notAsked.zh),
    }),
  },
}

const notExpected = {
  en: 'If you did not expect this, leave the link alone and tell whoever runs that server.',
  zh: '如果您并未预期收到此邮件，请不要打开链接，并告知该服务器的管理者。',
}
const notAsked = {
  en: 'If it was not you, do nothing: your password stays as it is.',
  zh: '如果不是您本人，无需任何操作：您的密码保持不变。',
}

const english = ({ name, link, expiresAt }: Facts, what: string, otherwise: string): string =>
  `Hello ${name},\n\n${what}\n\n${link}\n\nThe link works once, until ${instant(expiresAt)}. Whoever has it becomes you: pass it on to nobody.\n\n${otherwise}\n`
const chinese = ({ name, link, expiresAt }: Facts, what: string, otherwise: string): string =>
  `${name}，您好：\n\n${what}\n\n${link}\n\n链接仅可使用一次，有效期至 ${instant(expiresAt)}。持有链接者即可以您的身份登录，请勿转发。\n\n${otherwise}\n`

export const instant = (at: Date): string => `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`
