/** What mails about approvals say. What an agent wrote is marked line by line, so that none of it can be taken for ours. */
import type { AskedApproval } from './approval-mail-store.ts'
import type { ApprovalMailKind, MailLanguage } from './mail-store.ts'
import { type Text, instant } from './texts.ts'

const detailMax = 8_000

export function approvalTextOf(kind: ApprovalMailKind, language: MailLanguage, approval: AskedApproval, link: string): Text {
  const { subject, first, what, whereAndWho, page, until, shortened, last } = words[language]
  const title = oneLine(approval.title)
  const detail = approval.detail === null ? '' : JSON.stringify(approval.detail, null, 2)
  const quoted = detail
    .slice(0, detailMax)
    .split(/\r\n|[\n\r\u2028\u2029]/)
    .map((line) => `> ${line}`)
    .join('\n')
  const parts = [
    first(oneLine(approval.name)),
    what[kind](oneLine(approval.agent)),
    `> ${title}${detail === '' ? '' : `\n${quoted}`}${detail.length > detailMax ? `\n${shortened}` : ''}`,
    whereAndWho(approval),
    ...(kind === 'approval-expired' ? [] : [...(approval.expiresAt ? [until(instant(approval.expiresAt))] : []), page]),
    link,
    last,
  ]
  return { subject: subject[kind](title.slice(0, 150)), body: `${parts.join('\n\n')}\n` }
}

/** No control characters: neither another header nor another line. */
const oneLine = (text: string): string => text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]+/gu, ' ').trim()

type Words = {
  subject: Record<ApprovalMailKind, (title: string) => string>
  what: Record<ApprovalMailKind, (agent: string) => string>
  first(name: string): string
  whereAndWho(approval: AskedApproval): string
  until(instant: string): string
  page: string
  shortened: string
  last: string
}

const words: Record<MailLanguage, Words> = {
  en: {
    subject: {
      approval: (title) => `To approve: ${title}`,
      'approval-reminder': (title) => `Still to approve: ${title}`,
      'approval-expired': (title) => `Nobody decided: ${title}`,
    },
    first: (name) => `Hello ${name},`,
    what: {
      approval: (agent) => `The agent ${agent} waits for a yes or no. If it is approved, exactly this happens:`,
      'approval-reminder': (agent) => `The agent ${agent} still waits for a yes or no, and will not wait much longer. If it is approved, exactly this happens:`,
      'approval-expired': (agent) => `The agent ${agent} waited for a yes or no, and the time is over. It was not approved, and this does not happen:`,
    },
    whereAndWho: ({ namespace, asker, runId }) => `In the namespace ${namespace}, asked for by ${oneLine(asker)}, run ${runId}.`,
    until: (at) => `It waits until ${at}.`,
    page: 'Look at the run and decide, signed in, here. Opening the page decides nothing, and an answer to this mail is read by nobody:',
    shortened: '> …\nIt is longer than a mail. All of it is on the page.',
    last: 'You get this because you may decide it. Mails like this are turned off under your name in the console, or with: longhaul me mails --approvals off',
  },
  zh: {
    subject: {
      approval: (title) => `待审批：${title}`,
      'approval-reminder': (title) => `仍待审批：${title}`,
      'approval-expired': (title) => `无人审批：${title}`,
    },
    first: (name) => `${name}，您好：`,
    what: {
      approval: (agent) => `智能体 ${agent} 正在等待批准或拒绝。一经批准，将执行的内容如下：`,
      'approval-reminder': (agent) => `智能体 ${agent} 仍在等待批准或拒绝，即将到期。一经批准，将执行的内容如下：`,
      'approval-expired': (agent) => `智能体 ${agent} 的审批请求已过期，未获批准，以下内容不会执行：`,
    },
    whereAndWho: ({ namespace, asker, runId }) => `命名空间 ${namespace}，由 ${oneLine(asker)} 发起，运行 ${runId}。`,
    until: (at) => `等待至 ${at}。`,
    page: '请登录后在此查看运行并作出决定。打开页面本身不会作出任何决定；回复此邮件无人阅读：',
    shortened: '> …\n内容过长，完整内容请见页面。',
    last: '您收到此邮件是因为您有权审批。可在控制台您的个人页面中关闭此类邮件，或使用：longhaul me mails --approvals off',
  },
}
