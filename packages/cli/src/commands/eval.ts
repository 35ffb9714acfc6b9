import { ApiError, type Client } from '@longhaul/sdk/client'
import { basename, resolve } from 'node:path'
import { type Evaluation, Name, failedCasesMax } from '@longhaul/protocol'
import { askCase, limitedClients } from '../eval/ask-case.ts'
import { agentOf, loadCases, loadTruth } from '../eval/cases.ts'
import type { Case, Truth } from '../eval/cases.ts'
import { type Verdict, judge } from '../eval/judge.ts'
import { type RubricJudge, rubricJudge } from '../eval/rubric.ts'
import { parseMinimum, scoresOf } from '../eval/score.ts'
import type { Result, Score, Scores } from '../eval/score.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Interrupted, Problem } from '../problem.ts'
import { type PickedVersion, pickedVersion } from '../options.ts'
import { isOffline } from '../show/answer.ts'
import { layOut } from '../show/table.ts'
import { cut, oneLine, padEnd, padStart, printable, wrap } from '../show/text.ts'
import { counted, duration } from '../show/values.ts'
import { unknownAgent } from './ask.ts'

type EvalOptions = PickedVersion & {
  only?: string[]
  concurrency: number
  timeout: number
  min?: string
  agent?: string
  record?: boolean
  suite?: string
  judge?: string
  judgeTokens: number
}

export async function evaluate(invocation: Invocation, given: string, options: EvalOptions): Promise<number> {
  const { terminal, isJson, printJson, world } = invocation
  const isEnough = parseMinimum(options.min ?? '0')
  if (!isEnough) throw new Problem('invalid', `--min ${options.min} is neither a number of cases nor a share.`, 'Give it as 57 or as 95%.')
  const folder = resolve(world.folder, given)
  const cases = chosen(await loadCases(folder), options.only)
  const truth = cases.some(({ expect }) => expect.answerable && expect.truth_sql !== undefined) ? await loadTruth(folder) : undefined
  const agent = options.agent ?? agentOf(folder)
  const suite = options.suite ?? basename(folder)
  if (options.record && !Name.safeParse(suite).success)
    throw new Problem('invalid', `"${suite}" cannot name a suite: use lower-case letters, digits and hyphens.`, 'Give a name with --suite.')
  const hasRubrics = cases.some(({ expect }) => expect.answerable && expect.rubric !== undefined)
  if (hasRubrics && options.judge === undefined)
    throw new Problem(
      'invalid',
      'Some cases have a rubric, and no model is named that judges by it.',
      'Name one with --judge, another than the one that answers.',
    )
  const client = await invocation.client()
  const byRubric = options.judge === undefined ? undefined : rubricJudge(client, { model: options.judge, tokensMax: options.judgeTokens })

  if (!isJson) terminal.print('', `  ${terminal.paint('bold', agent)}  ${terminal.paint('dim', `${counted(cases.length, 'case')} · ${client.url}`)}`, '')
  const startedAt = performance.now()
  const results: Result[] = []
  const limited = limitedClients(client)
  const pending = [...cases]
  const failure = new AbortController() // The first case that cannot be asked at all ends the others.
  const signal = AbortSignal.any([world.interrupted, failure.signal])
  const askOne = async (test: Case): Promise<Result> => {
    const asked = await askCase(await limited.for(test.access), test, {
      agent,
      picked: pickedVersion(options),
      timeoutMs: options.timeout * 1_000,
      signal,
    })
    const { outcome, ...facts } = asked
    return { test, ...facts, verdict: await judged(test, outcome, { truth, byRubric, signal }) }
  }
  const work = async () => {
    for (let test = pending.shift(); test && !signal.aborted; test = pending.shift()) {
      const result = await askOne(test)
      results.push(result)
      if (isJson) printJson({ type: 'case', ...caseJson(result) })
      else terminal.print(progressLine(invocation, result, results.length, cases.length))
    }
  }
  try {
    if (!isJson) terminal.status(() => `${results.length} of ${cases.length}`)
    const ends = await Promise.allSettled(
      Array.from({ length: options.concurrency }, () => work().catch((error) => (failure.abort(error), Promise.reject(error)))),
    )
    const fatal = ends.find((end) => end.status === 'rejected')
    if (fatal && !(fatal.reason instanceof Interrupted)) throw await explained(failure.signal.reason ?? fatal.reason, client, agent)
  } finally {
    terminal.status(undefined)
    await limited.close()
  }
  const scores = scoresOf(results)
  const model = results.find((result) => result.model)?.model
  const isOk = isEnough(scores)
  const isWhole = results.length === cases.length
  const evaluation = options.record && isWhole ? await record(client, agent, suite, results, scores, performance.now() - startedAt) : undefined
  if (isJson) printJson({ type: 'score', ...scores, asked: cases.length, model, isOk, evaluationId: evaluation?.id })
  else printReport(invocation, results, scores, { model, min: options.min, isOk, asked: cases.length, kept: evaluation })
  if (world.interrupted.aborted) return exitCodes.interrupted
  return isOk ? exitCodes.done : exitCodes.failed
}

function chosen(cases: Case[], only: string[] | undefined): Case[] {
  if (!only) return cases
  const found = cases.filter(({ id, tags }) => only.some((text) => id.includes(text) || tags.includes(text)))
  if (found.length > 0) return found
  const near = only.flatMap((text) =>
    nearNames(
      text,
      [...cases.map(({ id }) => id), ...cases.flatMap(({ tags }) => tags)].filter((name, at, all) => all.indexOf(name) === at),
    ),
  )
  throw new Problem(
    'not_found',
    `No case has ${only.map((text) => `"${text}"`).join(' or ')} in its id or among its tags.`,
    ...(near.length > 0 ? [`Near: ${near.join(', ')}`] : []),
  )
}

/** Keeps the score with the version that answered. Two versions in one score would say nothing of either. */
async function record(client: Client, agent: string, suite: string, results: Result[], { passed, total }: Score, tookMs: number): Promise<Evaluation> {
  const versions = [...new Set(results.flatMap(({ version, test }) => (version !== undefined && (test.agent ?? agent) === agent ? [version] : [])))]
  const [version, other] = versions
  if (version === undefined) throw new Problem('conflict', 'No case was answered, so there is no version to keep the score with.')
  if (other !== undefined)
    throw new Problem(
      'conflict',
      `Answers came from ${versions.length} versions (${versions.join(', ')}), so the score is not kept.`,
      'Ask one of them: --agent-version, or --preview.',
    )
  const costs = results.flatMap(({ costUsd }) => (costUsd === null ? [] : [costUsd]))
  return client.evaluations.record({
    agent,
    version,
    suite,
    passedCount: passed,
    caseCount: total,
    judgments: results.flatMap(({ test, verdict: { judgment } }) => (judgment ? { case: test.id.slice(0, 200), ...judgment } : [])).slice(0, failedCasesMax),
    failedCases: results.flatMap(({ test, verdict }) => (verdict.isPassed ? [] : [test.id.slice(0, 200)])).slice(0, failedCasesMax),
    model: results.find(({ model }) => model)?.model ?? null,
    costUsd: costs.length > 0 ? costs.reduce((sum, cost) => sum + cost, 0) : null,
    durationMs: Math.round(tookMs),
  })
}

/** A truth that cannot be computed fails its case: it must never pass for want of something to compare with. */
async function judged(
  test: Case,
  outcome: Parameters<typeof judge>[1],
  { truth, byRubric, signal }: { truth: ((sql: string) => Promise<Truth>) | undefined; byRubric: RubricJudge | undefined; signal: AbortSignal },
): Promise<Verdict> {
  const verdict = await judgedByTruth(test, outcome, truth)
  const rubric = test.expect.answerable ? test.expect.rubric : undefined
  // What is wrong already needs no judge.
  if (rubric === undefined || !verdict.isPassed || 'problem' in outcome) return verdict
  if (!byRubric) throw new Error(`The case ${test.id} has a rubric, and there is no judge.`)
  const judgment = await byRubric({ question: test.question, rubric }, outcome.answer, signal)
  return { ...verdict, isPassed: judgment.isPassed, why: judgment.isPassed ? '' : judgment.reasons.join(' '), judgment }
}

async function judgedByTruth(test: Case, outcome: Parameters<typeof judge>[1], truth: ((sql: string) => Promise<Truth>) | undefined): Promise<Verdict> {
  if (!test.expect.answerable || !truth || test.expect.truth_sql === undefined) return judge(test, outcome, undefined)
  try {
    return judge(test, outcome, await truth(test.expect.truth_sql))
  } catch (error) {
    return {
      isPassed: false,
      why: `its truth cannot be computed: ${error instanceof Error ? error.message : error}`,
      expected: 'unknown',
      got: 'answer' in outcome ? outcome.answer.text : outcome.problem,
    }
  }
}

async function explained(error: unknown, client: Awaited<ReturnType<Invocation['client']>>, agent: string): Promise<unknown> {
  if (!(error instanceof ApiError)) return error
  if (error.code === 'not_found') return unknownAgent(client, agent, error)
  if (error.code === 'forbidden')
    return new Problem('forbidden', error.message, 'Cases with access need a key that may manage keys: they are asked with a temporary one.')
  return error
}

const caseJson = ({ test, verdict, runId, model, durationMs }: Result) => ({
  id: test.id,
  isPassed: verdict.isPassed,
  why: verdict.why || undefined,
  question: test.question,
  language: test.language,
  tags: test.tags,
  expected: verdict.expected,
  got: verdict.got,
  judgment: verdict.judgment,
  runId,
  model,
  durationMs: Math.round(durationMs),
})

function progressLine({ terminal: { paint, width } }: Invocation, { test, verdict, durationMs }: Result, done: number, total: number): string {
  const count = padStart(`${done}/${total}`, 2 * String(total).length + 1)
  const took = padStart(duration(durationMs), 8)
  const space = width - 4 - 4 - count.length - took.length - 2
  const text = cut(verdict.isPassed ? test.id : `${test.id}: ${oneLine(verdict.why)}`, space)
  return `  ${verdict.isPassed ? paint('green', '✓') : paint('red', '✗')} ${paint('dim', count)}  ${padEnd(text, space)}  ${paint('dim', took)}`
}

function printReport(
  { terminal }: Invocation,
  results: Result[],
  scores: Scores,
  about: { model: string | undefined; min: string | undefined; isOk: boolean; asked: number; kept: Evaluation | undefined },
): void {
  const { paint, print, width } = terminal
  const failed = results.filter(({ verdict }) => !verdict.isPassed)
  const field = (name: string, value: string, linesMax: number) => {
    const lines = wrap(printable(value), width - 14 - 4)
    const shown = lines.length > linesMax ? [...lines.slice(0, linesMax - 1), cut(`${lines[linesMax - 1]} …`, width - 18)] : lines
    return shown.map((line, at) => `    ${paint('dim', padEnd(at === 0 ? name : '', 8))}  ${line}`)
  }
  for (const { test, verdict, runId } of failed) {
    print(
      '',
      `  ${paint('red', '✗')} ${paint('bold', test.id)}  ${verdict.why}`,
      ...field('question', test.question, 3),
      ...field('expected', verdict.expected, 3),
      ...field('got', verdict.got, 4),
      ...(runId ? field('run', runId, 1) : []),
    )
  }
  const rows = (name: string, groups: Record<string, Score>) =>
    Object.entries(groups).map(([group, { passed, total }], at) => [at === 0 ? name : '', group, passed, total, share({ passed, total })])
  const { head, rows: lines } = layOut(
    [{ name: '' }, { name: '' }, { name: 'passed', isNumber: true }, { name: 'of', isNumber: true }, { name: '', isNumber: true }],
    [...rows('language', scores.byLanguage), ...rows('tag', scores.byTag)],
    width - 4,
  )
  if (lines.length > 0) print('', `  ${paint('dim', head)}`, ...lines.map((line) => `  ${line}`))
  const { model } = about
  print(
    '',
    `  ${paint(about.isOk && failed.length === 0 ? 'green' : about.isOk ? 'yellow' : 'red', `${scores.passed} of ${scores.total} passed (${share(scores)})`)}${about.asked > scores.total ? `; ${about.asked - scores.total} not asked` : ''}${about.isOk ? '' : `; the minimum is ${about.min}`}`,
  )
  if (model) print(`  ${paint('dim', `${model}${isOffline(model) ? ', offline stand-in, not a language model' : ''}`)}`)
  const judges = [...new Set(results.flatMap(({ verdict }) => verdict.judgment?.model ?? []))]
  if (judges.length > 0)
    print(
      `  ${paint('dim', `rubrics judged by ${judges.map((name) => `${name}${isOffline(name) ? ', offline stand-in, not a language model' : ''}`).join(', ')}`)}`,
    )
  const { kept } = about
  if (kept) print(`  ${paint('dim', `kept with version ${kept.version} as ${kept.suite}: npx longhaul evaluations list ${kept.agent}`)}`)
  print('')
}

const share = ({ passed, total }: Score): string => (total === 0 ? '–' : `${(Math.floor((passed * 1_000) / total) / 10).toFixed(1)}%`)
