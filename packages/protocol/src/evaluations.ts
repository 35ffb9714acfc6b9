/** What evaluations found, version by version: for the eye, and for the guard of a deployment. */
import { z } from 'zod'
import { VersionName } from './agents.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Name, Usd } from './values.ts'

/** How many names of failed cases are kept with an evaluation. */
export const failedCasesMax = 500

const found = {
  version: VersionName,
  /** Which questions were asked. Only evaluations of one suite are held against each other. */
  suite: Name,
  passedCount: z.number().int().min(0).max(1_000_000),
  caseCount: z.number().int().min(1).max(1_000_000),
  failedCases: z.array(z.string().min(1).max(200)).max(failedCasesMax).default([]),
  /** What a model found of cases by their rubrics, and why. */
  judgments: z
    .array(z.object({ case: z.string().min(1).max(200), model: z.string().max(200), isPassed: z.boolean(), reasons: z.array(z.string().max(10_000)).max(20) }))
    .max(failedCasesMax)
    .default([]),
  /** Which model answered. */
  model: z.string().min(1).max(200).nullable().default(null),
  costUsd: Usd.nullable().default(null),
  durationMs: z.number().int().min(0).max(31_536_000_000),
}

export const Evaluation = z.object({ id: z.uuid(), agent: Name, ...found, madeBy: z.string(), createdAt: z.iso.datetime() })
export type Evaluation = z.infer<typeof Evaluation>

export const recordEvaluation = operation({
  id: 'evaluations.record',
  summary: 'Keep what an evaluation found of a version. A deployment whose guard looks at scores is taken back by it.',
  http: ['POST', '/v1/agents/{agent}/evaluations'],
  permission: 'agents:deploy',
  input: z
    .strictObject({ agent: Name, ...found })
    .refine(({ passedCount, caseCount }) => passedCount <= caseCount, { error: 'cannot be more than caseCount', path: ['passedCount'] }),
  output: Evaluation,
})
export const listEvaluations = operation({
  id: 'evaluations.list',
  summary: 'What evaluations found, newest first.',
  http: ['GET', '/v1/agents/{agent}/evaluations'],
  permission: 'agents:read',
  input: z.strictObject({ agent: Name, version: VersionName.optional(), suite: Name.optional(), ...PageInput }),
  output: pageOf(Evaluation),
})
export const evaluationOperations = [recordEvaluation, listEvaluations]
