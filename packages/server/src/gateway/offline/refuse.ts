// What is said when a question cannot be answered: why not, and what can be. Never a figure.
import type { Problem } from './frame.ts'
import { listed, type Language } from './format.ts'
import type { Layer, Metric } from './layer.ts'
import type { PlanProblem } from './plan.ts'
import { refusal, speech, standIn } from './speech.ts'
import type { Hidden } from './visible.ts'

export function refuse(problem: Problem | PlanProblem, layer: Layer, language: Language): string {
  const helps =
    problem.kind === 'not-by' || problem.kind === 'not-value' ? possible(layer.metrics.get(problem.metric), layer, language) : offer(layer, language)
  const glue = language === 'zh' ? '' : ' '
  return `${[refusal[language], reason(problem, layer, language), helps].filter((part) => part !== '').join(glue)}\n\n${standIn[language]}`
}

export const refuseText = (why: string, language: Language): string => `${refusal[language]}${language === 'zh' ? '' : ' '}${why}\n\n${standIn[language]}`

/** For values that this caller is not shown. */
export const refuseHidden = ({ values, regions, access }: Hidden, language: Language): string =>
  refuseText(
    [speech[language].unseen(listed(values, language), regions), ...(access.personalData === false ? [speech[language].personal()] : [])].join(
      language === 'zh' ? '' : ' ',
    ),
    language,
  )

function reason(problem: Problem | PlanProblem, layer: Layer, language: Language): string {
  const zh = language === 'zh'
  const metric = (name: string) => layer.metrics.get(name)?.label[language] ?? name
  const column = (ref: string) => layer.dimensions.get(ref)?.label[language] ?? ref
  switch (problem.kind) {
    case 'unknown-words':
      return zh
        ? `我不认识${listed(
            problem.words.map((word) => `“${word}”`),
            language,
          )}。`
        : `I do not know ${listed(
            problem.words.map((word) => `“${word}”`),
            language,
          )}.`
    case 'unavailable': {
      const topic = layer.unavailable[problem.topic]
      return topic ? (zh ? `这里没有${topic.topic.zh}的数据。` : `There are no data on ${topic.topic.en}: ${topic.reason}`) : ''
    }
    case 'beyond':
      return beyond[problem.what][language]
    case 'no-metric':
      return zh ? '我没有看出要问的是哪个指标。' : 'I found no metric in the question.'
    case 'several-metrics':
      return zh
        ? `问题里有几个指标（${listed(problem.metrics.map(metric), language)}），我看不出它们的关系。`
        : `It names several metrics (${listed(problem.metrics.map(metric), language)}) and I cannot see how they belong together.`
    case 'not-by':
      return zh
        ? `${metric(problem.metric)}不能按${column(problem.ref)}拆分或筛选。`
        : `${metric(problem.metric)} cannot be split or narrowed by ${column(problem.ref)}.`
    case 'not-value':
      return zh ? `${metric(problem.metric)}不能用“${problem.said}”筛选。` : `${metric(problem.metric)} cannot be narrowed to “${problem.said}”.`
    case 'exclusive':
      return zh
        ? `“${problem.said}”：没有某项、或只有某项的，我的规则数不出来。`
        : `“${problem.said}”: who has none of something, or nothing else, is beyond my rules.`
    case 'other-unit':
      return zh
        ? `“${problem.said}”问的是另一种数字，而${metric(problem.metric)}不是。`
        : `“${problem.said}” asks for another kind of figure than ${metric(problem.metric)} is.`
    case 'unused':
      return zh ? `我不明白“${problem.said}”在这里的作用。` : `I do not understand what “${problem.said}” does here.`
    case 'future':
      return zh ? `${problem.period.from} 之后的期间还没有数据。` : `The period from ${problem.period.from} lies ahead; the data are about the past.`
    case 'not-loaded':
      return zh ? `数据只到 ${problem.until}。` : `The data end with ${problem.until}.`
    case 'before-data':
      return zh ? `数据自 ${problem.from} 起，之前没有数字。` : `The data begin on ${problem.from}; before that there is no figure.`
    case 'months-only':
      return zh
        ? `${problem.metric.label.zh}只按自然月记录，期间须由整月组成。`
        : `${problem.metric.label.en} is known by calendar month only, so the period must consist of whole months.`
    case 'no-share':
      return zh ? `${problem.metric.label.zh}是比率或平均值，没有占比可言。` : `${problem.metric.label.en} is a rate or an average, of which there is no share.`
    case 'no-groups':
      return zh ? '问题给了数值条件，但没有说明条件针对什么。' : 'It sets a limit for figures, but not of what.'
    case 'counts-itself':
      return zh
        ? `问题没有说明按什么排名：按${problem.metric.label.zh}，每一个都只算一个。`
        : `It does not say by what to rank: in ${problem.metric.label.en}, each of them is one.`
    case 'average-unclear':
      return zh ? `我不清楚${problem.metric.label.zh}要对什么求平均。` : `I cannot tell over what ${problem.metric.label.en} is to be averaged.`
    case 'two-times':
      return zh ? '我看不出这些时间之间的关系。' : 'I cannot see how the times in it belong together.'
  }
}

const beyond: Record<Extract<Problem, { kind: 'beyond' }>['what'], Record<Language, string>> = {
  personal: { en: 'I count and compare; I do not give out the details of single people.', zh: '我只做统计和比较，不提供个人的联系方式等信息。' },
  why: { en: 'I have rules for figures, not for causes.', zh: '我的规则只能给出数字，不能解释原因。' },
  write: { en: 'I only read data; I neither change anything nor write texts.', zh: '我只能读取数据，不能修改数据或撰写文字。' },
  forecast: { en: 'I only know what has happened, not what will.', zh: '我只知道已经发生的数据，不做预测。' },
  statistics: { en: 'That kind of statistics is beyond my rules.', zh: '这类统计超出了我的规则。' },
  vague: { en: 'I have no rules for judgement or advice.', zh: '我没有评价或建议的规则。' },
}

/** A few examples of each part of what can be asked. */
function offer(layer: Layer, language: Language): string {
  const metrics = [...layer.metrics.values()].slice(0, 6).map((metric) => metric.label[language])
  const columns = [...new Set([...layer.dimensions.values()].map((dimension) => dimension.label[language]))].slice(0, 6)
  if (metrics.length === 0) return ''
  return language === 'zh'
    ? `我能回答由指标（如${listed(metrics, language)}）、维度（如${listed(columns, language)}）、筛选条件、时间、排名和对比组成的问题。`
    : `I can answer questions made of a metric (such as ${listed(metrics, language)}), things to split or narrow it by (such as ${listed(columns, language)}), a time, a ranking or a comparison.`
}

function possible(metric: Metric | undefined, layer: Layer, language: Language): string {
  const names = [...new Set((metric?.dimensions ?? []).flatMap((ref) => layer.dimensions.get(ref)?.label[language] ?? []))]
  if (names.length === 0) return ''
  return language === 'zh' ? `可以用的是：${listed(names, language)}。` : `What it can be split or narrowed by: ${listed(names, language)}.`
}
