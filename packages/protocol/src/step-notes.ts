/** What the server decided about a step, recorded with it: what policies said, how a model call was routed, which folders a sandbox was shown. */
import { z } from 'zod'
import { ApprovalRule } from './approval-rules.ts'

/**
 * What policies said of a tool call. They can only forbid: `none`, there were none in force; `silent`, none of them forbade it; `approved`, the named ones
 * ask for a person's word, which was given; `refused`, the named ones forbade it. `rule`: who may allow it, where that is not one of those who may decide.
 */
export const PolicyDecision = z.object({
  outcome: z.enum(['none', 'silent', 'approved', 'refused']),
  policies: z.array(z.string()),
  rule: ApprovalRule.optional(),
})
export type PolicyDecision = z.infer<typeof PolicyDecision>

/** A model that was asked and did not answer, before another was. */
export const FailedTry = z.object({ model: z.string(), code: z.string().optional(), message: z.string(), durationMs: z.number() })
export type FailedTry = z.infer<typeof FailedTry>

/** How a model call came to its model. `name` and `why` are null when a model was asked for by its own name; `model` when none has answered. */
export const RouteTaken = z.object({
  name: z.string().nullable(),
  why: z.string().nullable(),
  /** Of routes that learn: how hard the request looked, and with which chance the model was drawn where chance decided; both from 0 to 1. */
  difficulty: z.number().optional(),
  chance: z.number().optional(),
  model: z.string().nullable(),
  tries: z.array(FailedTry),
})
export type RouteTaken = z.infer<typeof RouteTaken>

/**
 * Whether a run's sandbox was shown a folder that its agent declares. `everyone`: its operator shows it to every asker, and no policy forbids it;
 * `permitted`: the named policies permit it; `refused`: the named ones forbid it, or none permits it.
 */
export const FolderDecision = z.object({
  name: z.string(),
  mode: z.enum(['read', 'copy']),
  outcome: z.enum(['everyone', 'permitted', 'refused']),
  policies: z.array(z.string()),
})
export type FolderDecision = z.infer<typeof FolderDecision>

/** Absent: nobody decided anything, or an earlier version recorded the step. */
export const stepNotes = { policy: PolicyDecision.optional(), route: RouteTaken.optional(), folders: z.array(FolderDecision).optional() }
export type StepNotes = { policy?: PolicyDecision | undefined; route?: RouteTaken | undefined; folders?: FolderDecision[] | undefined }
