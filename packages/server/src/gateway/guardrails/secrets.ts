/** Secrets by the forms that their makers gave them, so that they can be found. */
import { type Found, openFinds } from './found.ts'

const forms: Readonly<Record<string, RegExp>> = {
  'private-key': /-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[\s\S]{0,10000}?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|$)/g,
  anthropic: /\bsk-ant-[A-Za-z0-9_-]{20,200}/g,
  openai: /\bsk-(?!ant-)(?:proj-|svcacct-|admin-)?[A-Za-z0-9_-]{20,200}/g,
  aws: /\b(?:AKIA|ASIA)[A-Z2-7]{16}\b/g,
  github: /\b(?:gh[opsur]_[A-Za-z0-9]{36,255}|github_pat_\w{40,255})/g,
  gitlab: /\bglpat-[\w-]{20,100}/g,
  slack: /\bxox[abeoprs]-[A-Za-z0-9-]{10,250}|https:\/\/hooks\.slack\.com\/services\/[A-Za-z0-9/]{20,100}/g,
  google: /\bAIza[\w-]{35}|\bya29\.[\w-]{20,300}/g,
  stripe: /\b[rs]k_(?:live|test)_[A-Za-z0-9]{16,200}/g,
  npm: /\bnpm_[A-Za-z0-9]{36}\b/g,
  huggingface: /\bhf_[A-Za-z0-9]{30,100}/g,
  sendgrid: /\bSG\.[\w-]{16,64}\.[\w-]{16,128}/g,
  longhaul: /\blh_[A-Za-z0-9_-]{20,200}/g,
  jwt: /\beyJ[\w-]{10,4000}\.eyJ[\w-]{10,8000}\.[\w-]{10,2000}/g,
  'address-with-password': /\b[a-z][a-z0-9+.-]{1,20}:\/\/[^\s:/@]{1,100}:[^\s:/@]{1,200}@/gi,
}

export function findSecrets(text: string): Found[] {
  const finds = openFinds(text)
  for (const [kind, pattern] of Object.entries(forms)) {
    for (const match of text.matchAll(pattern)) finds.add({ kind, start: match.index, end: match.index + match[0].length })
  }
  return finds.all()
}
