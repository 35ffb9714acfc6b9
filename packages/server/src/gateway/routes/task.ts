/** What a request is one of, so that calls that are alike are found again: by who asks, by the words of its kind, by how hard it looks. */
import type { Asked, RequestFacts } from '../models.ts'
import { difficultyOf } from './difficulty.ts'

export type Task = {
  /** The agent, and a digest of what all requests of one of its steps have in common: instructions, tools, schema. */
  task: string
  /** A coarse class, by words: all that is known of a request whose instructions nobody has used before. */
  kind: string
  difficulty: number
}

/** In this order: the first that fits. */
const kinds: readonly (readonly [string, RegExp])[] = [
  ['code', /```|\b(code|function|bug|refactor|debug|typescript|python|javascript|compile|regex|unit test)\b|代码|函数|调试|重构/iu],
  ['query', /\b(sql|select|query|table|join|database|metric|revenue|kpi)\b|查询|数据库|指标|营收/iu],
  ['math', /\b(prove|derive|equation|integral|calculate|probability|how many|how much|percent)\b|\d\s*[+*/^=]\s*\d|证明|推导|计算|多少/iu],
  ['translate', /\b(translate|translation)\b|翻译/iu],
  ['summarize', /\b(summari[sz]e|summary|tl;dr|shorten)\b|总结|摘要/iu],
  ['extract', /\b(extract|classify|label|categori[sz]e|parse|tag|sentiment)\b|提取|分类|标注/iu],
  ['plan', /\b(plan|design|architect\w*|strategy|compare|trade-?offs?|analy[sz]e|why)\b|规划|设计|分析|比较|为什么/iu],
  ['write', /\b(write|draft|e-?mail|letter|essay|story|rephrase)\b|撰写|写一|邮件|改写/iu],
]

export function taskOf({ agent }: Pick<Asked, 'agent'>, request: RequestFacts): Task {
  return {
    task: `${agent ?? ''}/${request.template}`,
    kind: kinds.find(([, pattern]) => pattern.test(request.text))?.[0] ?? 'other',
    difficulty: difficultyOf(request),
  }
}
