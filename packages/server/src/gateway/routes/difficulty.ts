/**
 * How hard a request looks, from 0 to 1, before anything is known of its kind: a cold start. Length and such signs separate easy from hard
 * little better than chance on public data, so they choose who is asked first and never who may not be asked.
 */
import type { RequestFacts } from '../models.ts'

const hardWords =
  /\b(prove|derive|refactor|debug|optimi[sz]e|architect|analy[sz]e|compare|plan|design|why|step by step|trade-?offs?|implement|algorithm|legal|diagnos\w*)\b|证明|推导|重构|调试|优化|设计|分析|比较|规划|为什么|逐步|实现|算法/giu
const easyWords = /\b(translate|summari[sz]e|classify|extract|rephrase|spell|label|yes or no|hello|hi|thanks)\b|翻译|总结|分类|提取|改写|你好|谢谢/giu

export function difficultyOf({
  text,
  toolCount,
  messageCount,
  bytes,
  hasImages,
}: Pick<RequestFacts, 'text' | 'toolCount' | 'messageCount' | 'bytes' | 'hasImages'>): number {
  const hard = Math.min(3, text.match(hardWords)?.length ?? 0)
  const easy = Math.min(2, text.match(easyWords)?.length ?? 0)
  const hasCode = /```|[{};]\s*\n|\bfunction\b|\bclass\b|\bselect\b[\s\S]{0,200}\bfrom\b/i.test(text)
  const score =
    0.2 +
    Math.min(0.3, text.length / 4_000) +
    0.15 * hard -
    0.1 * easy +
    (hasCode ? 0.15 : 0) +
    Math.min(0.15, toolCount * 0.03) +
    Math.min(0.15, messageCount * 0.01) +
    Math.min(0.2, bytes / 500_000) +
    (hasImages ? 0.05 : 0)
  return Math.min(1, Math.max(0, Math.round(score * 100) / 100))
}
