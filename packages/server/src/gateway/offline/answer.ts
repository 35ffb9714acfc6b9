// Stage 6: the result of a plan's query as one or two sentences in the language of the question, with the figures, the period with its
// dates, whatever was assumed, and the limit of what this caller may see.
import { addDays } from './calendar.ts'
import { formatBucket, formatChange, formatFigure, listed, nameOf, type Language } from './format.ts'
import type { Filter } from './frame.ts'
import type { Layer, Metric } from './layer.ts'
import type { Plan, PlanAssumption } from './plan.ts'
import type { QueryFailure, QueryResult } from './result.ts'
import { speech, standIn, type Speech } from './speech.ts'
import type { Query, Role } from './sql.ts'
import type { Hidden } from './visible.ts'

/** `hidden`: values of the question that this caller is not shown, where that was looked up. */
export type About = { plan: Plan; query: Query; layer: Layer; language: Language; hidden?: Hidden }
type Row = QueryResult['rows'][number]

const rowsInText = 12

/** `together`: the total of values that were listed, where it was asked for besides. */
export function answer(about: About, result: QueryResult, together?: QueryResult | QueryFailure): string {
  const { plan, layer, language } = about
  const say = speech[language]
  const unseen = about.hidden ?? unseenValues(plan.filters.concat(plan.share?.part ?? []), layer, result)
  const sentences = [
    unseen && unseen.isAll
      ? say.unseen(unseen.values.join(', '), (result.access?.regions ?? []).join(', '))
      : statement(about, result, say) + togetherOf(about, together, say),
    ...(unseen && !unseen.isAll ? [say.unseen(unseen.values.join(', '), (result.access?.regions ?? []).join(', '))] : []),
    ...plan.assumptions.map((assumption) => assumed(assumption, about, say)),
    ...notesOn(plan, language),
    ...limits(result.access, language),
  ]
  return `${[...new Set(sentences)].filter((sentence) => sentence !== '').join(language === 'zh' ? '' : ' ')}\n\n${standIn[language]}`
}

/** What the layer wants said of a metric that is split or narrowed like this. */
function notesOn({ metrics, groups, filters, share }: Plan, language: Language): string[] {
  const refs = new Set([...groups, ...filters, ...(share?.part ?? [])].map(({ ref }) => ref))
  return metrics.flatMap(({ notes }) => notes.filter(({ about }) => about.some((ref) => refs.has(ref))).map((note) => note[language]))
}

/** What the tool said about the caller's part of the data, in the language of the question. */
export function limits(access: QueryResult['access'], language: Language): string[] {
  if (!access?.limited) return access?.note ? [access.note] : []
  const say = speech[language]
  const regions = access.regions ?? []
  const said = [...(regions.length > 0 ? [say.limited(listed(regions, language))] : []), ...(access.personalData === false ? [say.personal()] : [])]
  return said.length > 0 ? said : access.note ? [access.note] : []
}

function togetherOf({ plan, language }: About, together: QueryResult | QueryFailure | undefined, say: Speech): string {
  const figures =
    together && 'rows' in together ? (together.rows[0] ?? []).map((value, i) => formatFigure(value, plan.metrics[i]?.unit ?? 'count', language)) : []
  return figures.length > 0 ? say.total(listed(figures, language)) : ''
}

/** Values that were asked for and that this caller is not shown. Silence about them would make a partial figure look whole. */
function unseenValues(filters: readonly Filter[], layer: Layer, { access }: QueryResult): { values: string[]; isAll: boolean } | undefined {
  const regions = access?.regions
  if (!access?.limited || !regions) return undefined
  for (const { ref, values, isNegated } of filters) {
    const known = layer.dimensions.get(ref)?.values.map((value) => value.value) ?? []
    if (isNegated || !regions.every((region) => known.includes(region))) continue
    const hidden = values.filter((value) => !regions.includes(value))
    if (hidden.length > 0) return { values: hidden, isAll: hidden.length === values.length }
  }
  return undefined
}

function statement(about: About, result: QueryResult, say: Speech): string {
  const { plan } = about
  const rows = result.rows
  const subject = subjectOf(about, say)
  const figure = at(about, (role) => role.kind === 'figure')
  if (result.rowCount === 0 || rows.length === 0) return say.nothing(subject.full)
  if (plan.isCountOfGroups) return say.counted(show(about, rows[0], 0, { kind: 'count' }), thingsOf(about), conditionsOf(about, say) + subject.rest)
  if (rows.length === 1 && plan.groups.length === 0 && plan.shape.kind === 'total' && rows[0]?.[figure] === null) return say.none(subject.full)
  if (plan.fold) return foldedText(about, rows[0], say)
  if (plan.share || plan.isShareOfPer) return shares(about, result, say)
  if (plan.average) return averages(about, result, say)
  if (plan.shape.kind === 'compare') return changes(about, result, say)
  if (plan.shape.kind === 'series') return manyRows(about, result, say)
  if (plan.groups.length === 0) return say.is(subject.full, figures(about, rows[0]))
  return manyRows(about, result, say)
}

/** What the figure is, with its scope and its time: `rest` is the part behind the metric's name. */
export function subjectOf({ plan, layer, language }: About, say: Speech): { full: string; rest: string; bare: string; ungrouped: string } {
  const names = plan.metrics.map((metric) => metric.label[language])
  const of = plan.per && !plan.isShareOfPer ? say.per2(listed(names, language), plan.per.label[language].toLowerCase()) : listed(names, language)
  const groups = [
    ...(plan.shape.kind === 'series' && plan.shape.unit !== 'period' ? [say.unitNames[plan.shape.unit]] : []),
    ...plan.groups.map((group) => group.label[language]),
  ]
  const by = groups.length > 0 ? say.by(listed(groups, language)) : ''
  const scope = scopeOf(plan.filters, layer, language, say)
  const [metric] = plan.metrics
  const isState = metric?.kind === 'snapshot'
  const when =
    plan.shape.kind === 'total' && metric
      ? say.on(formatBucket(plan.shape.bucket, metric, language), isState)
      : plan.shape.kind === 'series'
        ? seriesSpan(plan, language)
        : ''
  return { full: `${of}${by}${scope}${when}`, rest: `${scope}${when}`, bare: `${of}${scope}`, ungrouped: `${of}${scope}${when}` }
}

function seriesSpan({ shape }: Plan, language: Language): string {
  if (shape.kind !== 'series' || shape.buckets.length === 0) return ''
  const [first, last] = [shape.buckets[0], shape.buckets.at(-1)]
  return `${language === 'zh' ? '，' : ', '}${first?.first} ${language === 'zh' ? '至' : 'to'} ${last?.last}`
}

function scopeOf(filters: readonly Filter[], layer: Layer, language: Language, say: Speech): string {
  const names = (isNegated: boolean) =>
    filters
      .filter((filter) => filter.isNegated === isNegated)
      .map((filter) =>
        listed(
          filter.values.map((value) => nameOf(value, layer.dimensions.get(filter.ref), language)),
          language,
          'or',
        ),
      )
      .join(', ')
  return say.scope(names(false), names(true))
}

const at = ({ query }: About, is: (role: Role) => boolean): number => query.columns.findIndex((column) => is(column.role))
const cell = (about: About, row: Row | undefined, is: (role: Role) => boolean): unknown => row?.[at(about, is)]

/** One cell in its unit. */
function show({ plan, layer, language }: About, row: Row | undefined, index: number, role: Role): string {
  const value = row?.[index]
  const metric: Metric | undefined = role.kind === 'figure' ? plan.metrics.find((each) => each.name === role.metric) : plan.metrics[0]
  const unit = metric?.unit ?? 'count'
  switch (role.kind) {
    case 'group':
      return nameOf(value, layer.dimensions.get(role.ref), language)
    case 'period':
      return String(value)
    case 'share':
      return formatFigure(value, 'percent', language)
    case 'rate':
      return typeof value === 'number' ? formatChange(value, 'percent', language).replace(/ points| 个百分点/, '%') : ''
    case 'change':
      return formatChange(value, unit, language)
    case 'count':
    case 'groups':
      return formatFigure(value, 'count', language)
    default:
      return formatFigure(value, unit, language)
  }
}

/** All figures of a row, named when there are several. */
function figures(about: About, row: Row | undefined): string {
  const { plan, query, language } = about
  const shown = query.columns.flatMap((column, i) =>
    column.role.kind === 'figure' ? [{ text: show(about, row, i, column.role), metric: column.role.metric }] : [],
  )
  const named =
    shown.length > 1
      ? shown.map(({ text, metric }) => `${plan.metrics.find((each) => each.name === metric)?.label[language] ?? metric} ${text}`)
      : shown.map(({ text }) => text)
  const extra = query.columns.flatMap((column, i) =>
    column.role.kind === 'change' || column.role.kind === 'rate' || column.role.kind === 'running' ? [show(about, row, i, column.role)] : [],
  )
  return `${listed(named, language)}${extra.filter((text) => text !== '').length > 0 ? ` (${extra.filter((text) => text !== '').join(', ')})` : ''}`
}

const label = (about: About, row: Row | undefined): string =>
  about.query.columns
    .flatMap((column, i) => (column.role.kind === 'period' || column.role.kind === 'group' ? [show(about, row, i, column.role)] : []))
    .join(', ')

function manyRows(about: About, result: QueryResult, say: Speech): string {
  const { plan } = about
  const subject = subjectOf(about, say)
  const { rows } = result
  if (plan.rank?.limit === 1 && rows.length === 1) return say.most(label(about, rows[0]), figures(about, rows[0]), subject.full, plan.rank.direction === 'desc')
  const isNameList = plan.isList && rows.every((row) => cell(about, row, (role) => role.kind === 'figure') === 1)
  const items = rows.slice(0, isNameList ? 40 : rowsInText).map((row) => (isNameList ? label(about, row) : `${label(about, row)} ${figures(about, row)}`))
  const left = result.rowCount - items.length
  const lead = isNameList
    ? `${say.listing(result.rowCount, subject.ungrouped)} ${items.join(say.semicolon)}${left > 0 ? say.more(left) : ''}${say.stop}`
    : say.rows(subject.full, items.join(say.semicolon) + (left > 0 ? say.more(left) : ''))
  return lead + (plan.isDifference ? differenceOf(about, result, say) : totalOf(about, result, say))
}

/** Between the two values that were set side by side. */
function differenceOf(about: About, result: QueryResult, say: Speech): string {
  const [first, second] = result.rows.map((row) => cell(about, row, (role) => role.kind === 'figure'))
  const unit = about.plan.metrics[0]?.unit ?? 'count'
  return result.rowCount === 2 && typeof first === 'number' && typeof second === 'number'
    ? say.difference(formatChange(first - second, unit, about.language).replace(/^\+/, ''))
    : ''
}

/** The sum of the groups, where adding them up is right and all of them are there. */
function totalOf(about: About, result: QueryResult, say: Speech): string {
  const { plan, language } = about
  const [metric] = plan.metrics
  const isWhole =
    !plan.isListedBesideTotal &&
    plan.metrics.length === 1 &&
    !plan.per &&
    metric?.additive &&
    !plan.rank?.limit &&
    plan.having.length === 0 &&
    result.rowCount === result.rows.length &&
    result.rowCount > 1
  const isAddable = plan.shape.kind === 'total' || (plan.shape.kind === 'series' && metric?.kind === 'flow' && !plan.shape.back && !plan.isCumulative)
  if (!isWhole || !isAddable || !metric) return ''
  const sum = result.rows.reduce((all, row) => all + (Number(cell(about, row, (role) => role.kind === 'figure')) || 0), 0)
  return say.total(formatFigure(sum, metric.unit, language))
}

function changes(about: About, result: QueryResult, say: Speech): string {
  const { plan, language } = about
  const [metric] = plan.metrics
  if (plan.shape.kind !== 'compare' || !metric) return ''
  const { earlier, later } = plan.shape
  const index = (kind: Role['kind']) => at(about, (role) => role.kind === kind)
  const pieces = (row: Row | undefined) => {
    const text = (kind: 'earlier' | 'figure' | 'change' | 'rate') =>
      index(kind) < 0 ? '' : show(about, row, index(kind), kind === 'figure' ? { kind, metric: metric.name } : { kind })
    return { earlier: text('earlier'), later: text('figure'), change: [text('change'), text('rate')].filter((piece) => piece !== '').join(say.comma) }
  }
  const preposition = language === 'zh' ? '' : metric.kind === 'snapshot' ? 'on ' : 'from '
  const [from, to] = [preposition + formatBucket(earlier, metric, language), preposition + formatBucket(later, metric, language)]
  const subject = subjectOf(about, say)
  if (plan.groups.length === 0) {
    const { earlier: before, later: now, change } = pieces(result.rows[0])
    return say.changed(subject.full, before, from, now, to, change)
  }
  const items = result.rows.slice(0, rowsInText).map((row) => {
    const { earlier: before, later: now, change } = pieces(row)
    return say.pair(label(about, row), before, now, change)
  })
  const left = result.rowCount - items.length
  return say.rows(`${subject.full}, ${from} → ${to}`, items.join(say.semicolon) + (left > 0 ? say.more(left) : ''))
}

function shares(about: About, result: QueryResult, say: Speech): string {
  const { plan, query, layer, language } = about
  const named = plan.share?.part ?? []
  const index = (kind: Role['kind']) => query.columns.findIndex((column) => column.role.kind === kind)
  const text = (row: Row | undefined, kind: 'share' | 'whole') => show(about, row, index(kind), { kind })
  const subject = subjectOf({ ...about, plan: { ...plan, groups: [] } }, say)
  if (plan.isShareOfPer && plan.per && plan.groups.length === 0) {
    const [row] = result.rows
    return say.share(
      plan.metrics[0]?.label[language] ?? '',
      text(row, 'share'),
      figures(about, row),
      text(row, 'whole'),
      plan.per.label[language] + subject.rest,
    )
  }
  const part = named.flatMap((filter) => filter.values.map((value) => nameOf(value, layer.dimensions.get(filter.ref), language))).join(', ')
  if (result.rows.length === 1 && named.length > 0 && plan.groups.length === 0)
    return say.share(part, text(result.rows[0], 'share'), figures(about, result.rows[0]), text(result.rows[0], 'whole'), subject.full)
  const items = result.rows.slice(0, rowsInText).map((row) => `${label(about, row)} ${text(row, 'share')} (${figures(about, row)})`)
  const left = result.rowCount - items.length
  return say.rows(
    `${subjectOf(about, say).full}${say.comma}${part ? `${part} ` : ''}${say.shareTitle}`,
    items.join(say.semicolon) + (left > 0 ? say.more(left) : ''),
  )
}

/** "ARR of the top 10 accounts together", "customers of an account manager on average". */
function foldedText(about: About, row: Row | undefined, say: Speech): string {
  const { plan } = about
  const { ungrouped } = subjectOf(about, say)
  const things = thingsOf(about)
  if (plan.fold === 'average') return say.is(say.perThing(ungrouped, things), figures(about, row))
  const subject = say.together(ungrouped, plan.rank?.limit ?? 0, things, plan.rank?.direction !== 'asc')
  const share = show(
    about,
    row,
    at(about, (role) => role.kind === 'share'),
    { kind: 'share' },
  )
  const whole = show(
    about,
    row,
    at(about, (role) => role.kind === 'whole'),
    { kind: 'whole' },
  )
  return plan.share ? say.is(subject, say.shareOf(share, figures(about, row), whole)) : say.is(subject, figures(about, row))
}

function averages(about: About, result: QueryResult, say: Speech): string {
  const { plan, language } = about
  const { average } = plan
  if (!average) return ''
  const subject = subjectOf({ ...about, plan: { ...plan, groups: [] } }, say)
  const when = `${average.buckets[0]?.first} ${language === 'zh' ? '至' : 'to'} ${average.buckets.at(-1)?.last}`
  const unit = say.per(say.unitNames[average.unit]).trim()
  if (plan.groups.length === 0)
    return say.averaged(subject.bare, language === 'zh' ? say.unitNames[average.unit] : unit, figures(about, result.rows[0]), average.buckets.length, when)
  const items = result.rows.slice(0, rowsInText).map((row) => `${label(about, row)} ${figures(about, row)}`)
  return say.rows(
    `${subjectOf(about, say).bare} ${unit}, ${when}`,
    items.join(say.semicolon) + (result.rowCount > items.length ? say.more(result.rowCount - items.length) : ''),
  )
}

const thingsOf = ({ plan, language }: About): string =>
  listed(
    plan.groups.map((group) => group.label[language]),
    language,
  )

function conditionsOf({ plan, language }: About, say: Speech): string {
  return listed(
    plan.having.map((condition) => {
      const metric = plan.metrics.find((each) => each.name === condition.metric) ?? plan.metrics[0]
      return say.condition(
        metric?.label[language] ?? '',
        condition.comparison,
        formatFigure(condition.value, condition.of === 'change' ? 'percent' : (metric?.unit ?? 'count'), language),
      )
    }),
    language,
  )
}

function assumed(assumption: PlanAssumption, { plan, layer, language }: About, say: Speech): string {
  switch (assumption.kind) {
    case 'default-time':
      return assumption.isNow ? say.defaultNow() : say.defaultPeriod(assumption.period.from, addDays(assumption.period.to, -1))
    case 'open-period':
      return say.open(assumption.until)
    case 'begins':
      return say.begin(assumption.day)
    case 'same-days':
      return say.sameDays()
    case 'calendar-quarters':
      return say.calendarQuarters()
    case 'top':
      return say.top(assumption.count)
    case 'spelling':
      return say.spelling(assumption.written, assumption.read)
    case 'metric':
      return say.took(assumption.said, layer.metrics.get(assumption.metric)?.label[language] ?? plan.metrics[0]?.label[language] ?? '')
    case 'dimension':
      return say.took(assumption.said, layer.dimensions.get(assumption.ref)?.label[language] ?? assumption.ref)
    case 'value':
      return say.took(
        assumption.said,
        `${layer.dimensions.get(assumption.ref)?.label[language] ?? ''} ${nameOf(assumption.value, layer.dimensions.get(assumption.ref), language)}`,
      )
    case 'follow-up':
      return say.followUp()
  }
}
