/** The steps that the server executes for workers: model calls, commands and files in the run's sandbox, files for the answer, tools from elsewhere. */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  type AgentSandbox,
  ArtifactRequest,
  CallRequest,
  type DeclaredEgress,
  ExecRequest,
  FilesRequest,
  type Json,
  ModelReply,
  ModelRequest,
  type Prompt,
  type serverTools,
} from '@longhaul/protocol'
import type { z } from 'zod'
import type { Executor, Executors, StepContext } from '../engine/index.ts'
import { type Gateway, rebuildPrompt } from '../gateway/index.ts'
import type { Money } from '../gateway/money/index.ts'
import { StepFailure } from '../kernel/index.ts'
import type { GivenFolder, RunSandboxes, Sandbox } from '../sandbox/index.ts'
import type { Tools } from '../tools/index.ts'
import type { ChooseFolders } from './asker-folders.ts'
import type { Attachments } from './attachments/attachments.ts'
import { giveFiles } from './attachments/given-files.ts'
import { openPlacing } from './attachments/place-files.ts'
import { toUserMessage } from './conversation.ts'
import type { Files } from './file-store.ts'
import { execKeepingOutput } from './long-output.ts'
import { generateWithinBudget } from './model-step.ts'

/** Of what the server calls, all that surely only reads. Commands and files stay in the run's own sandbox, which has no way out where writes are withheld. */
const readingTools = new Set<string>(['calculator', 'fetch_page', 'free_time', 'sql', 'web_search'] satisfies (keyof typeof serverTools)[])

export type ExecutorPorts = {
  gateway: Gateway
  money: Money
  sandboxes: Pick<RunSandboxes, 'use'>
  files: Files
  attachments: Pick<Attachments, 'usable' | 'read'>
  tools: Pick<Tools, 'connect' | 'call' | 'manifestOf' | 'egressOf'>
  /** Hosts that an operator lets runs reach, of those that agents declare. */
  egressHosts: readonly string[]
  chooseFolders: ChooseFolders
  /** Asks custom agents' programs. */
  invoke?: Executor | undefined
  /** Folder of a version's code. */
  folderOf(tenantId: string, agent: string, version: string): string
}

export function makeExecutors({
  gateway,
  money,
  sandboxes,
  files,
  attachments,
  tools,
  egressHosts,
  chooseFolders,
  invoke,
  folderOf,
}: ExecutorPorts): Executors {
  const placeFiles = openPlacing(attachments)
  const inSandbox = async <Result extends object>(context: StepContext, work: (sandbox: Sandbox) => Promise<Result>): Promise<Json> => {
    const { run, signal } = context
    const { tenantId, namespace, agent, version, withholdsWrites } = run
    const folder = folderOf(tenantId, agent, version)
    const seed = join(folder, 'agent', 'sandbox', 'workspace')
    const seedOrNone = existsSync(seed) ? seed : undefined // Most agents bring no files.
    const { template, egress, limits, image: named, folders: declaredFolders } = (await tools.manifestOf(run)).sandbox ?? {}
    const image = named === undefined ? undefined : { folder, image: named }
    const read = async (declared: DeclaredEgress | undefined) => {
      assertAllowed(declared, egressHosts)
      return tools.egressOf({ tenantId, agent, runId: run.id }, declared)
    }
    const wayOut = await read(egress)
    const hosts = (egress?.rules ?? []).map(({ host }) => host)
    const folders = declaredFolders ? await chooseFolders(context, declaredFolders, hosts) : []
    const about = {
      id: sandboxIdOf(run, folders),
      runId: run.id,
      owner: { tenantId, namespace },
      seed: seedOrNone,
      limits: limits && given(limits),
      image,
      folders,
      template: template && {
        tenantId,
        agent,
        steps: stepsOf(template),
        limits,
        image,
        egress: template.egress,
        readEgress: () => read(template.egress),
        seed: seedOrNone,
      },
      // A fork that withholds its writes reaches nothing: no request is known to only read.
      egress: wayOut && withholdsWrites ? { ...wayOut, rules: [] } : wayOut,
      signal,
    }
    const { result, hosts: reached } = await sandboxes.use(about, async (sandbox) => {
      await placeFiles({ run }, sandbox)
      return work(sandbox)
    })
    return toJson({ ...result, ...(reached.length > 0 && { labels: reached.slice(0, 200).map((host) => `web:${host}`) }) })
  }
  return {
    model: {
      change(input, { model, instructions, outputTokensMax }) {
        const { data: request } = ModelRequest.safeParse(input)
        return request
          ? toJson({ ...request, ...(model && { model }), ...(instructions !== undefined && { instructions }), ...(outputTokensMax && { outputTokensMax }) })
          : input
      },
      async execute(input, context) {
        const request = parse(ModelRequest, input, 'model')
        const prompt = rebuildPrompt(context.op, (op) => (op === context.op ? { request, reply: undefined } : recordedModelStep(context.lookup(op))))
        const steeredBy = request.mayBeSteered ? context.takeSaid().map(toUserMessage) : []
        prompt.messages.push(...steeredBy)
        const reply = await generateWithinBudget(prompt, context, { gateway, money, filesFor: giveFiles(prompt, context, { attachments, money }) })
        return { output: toJson({ ...reply, ...(steeredBy.length > 0 && { steeredBy }) }), usage: reply.usage }
      },
    },
    exec: {
      async effectOf(_, run) {
        const { egress } = (await tools.manifestOf(run)).sandbox ?? {}
        return !run.withholdsWrites && egress?.rules.some(maySend) ? 'write' : undefined
      },
      async execute(input, context) {
        const request = parse(ExecRequest, input, 'exec')
        const onOutput = (stream: 'stdout' | 'stderr', text: string) => context.live({ type: 'output-delta', stream, text })
        const store = (file: ArtifactRequest) => files.store(context.run.tenantId, context.run.id, file)
        return { output: await inSandbox(context, (sandbox) => execKeepingOutput(sandbox, request, { signal: context.signal, onOutput, store })) }
      },
    },
    files: {
      async execute(input, context) {
        const request = parse(FilesRequest, input, 'files')
        return { output: await inSandbox(context, (sandbox) => sandbox.files(request)) }
      },
      record(input) {
        const { data: request } = FilesRequest.safeParse(input)
        return request?.action === 'write' ? toJson({ ...request, files: request.files.map(withoutContent) }) : input
      },
    },
    ...(invoke && { invoke }),
    connect: { execute: tools.connect },
    call: {
      execute: tools.call,
      mayWrite: (input) => !readingTools.has(CallRequest.safeParse(input).data?.tool ?? ''),
      mayRepeat: (input) => CallRequest.safeParse(input).data?.tool === 'mail', // It goes out by the transaction that records the step.
    },
    artifact: {
      async execute(input, context) {
        const request = parse(ArtifactRequest, input, 'artifact')
        return { output: toJson(await files.store(context.run.tenantId, context.run.id, request)) }
      },
      record(input) {
        const { data: request } = ArtifactRequest.safeParse(input)
        return request ? toJson(withoutContent(request)) : input
      },
    },
  }
}

/**
 * A conversation's runs work in one sandbox, one after the other. Another asker has another, for what is in there may be more than that
 * one may see; and so has another version, whose files began differently, and whoever may see other folders than before.
 */
export function sandboxIdOf({ id, tenantId, agent, version, sessionId, asker }: StepContext['run'], folders: readonly GivenFolder[] = []): string {
  const own = sessionId === null ? id : ['session', tenantId, agent, version, asker.id, sessionId].join('\n')
  return [own, ...folders.map(({ name, mode }) => `${mode} ${name}`)].join('\n')
}

const stepsOf = ({ packages, commands, env, timeoutMs }: NonNullable<AgentSandbox['template']>) => ({ packages, commands, env, timeoutMs })

/** Nothing of a declaration holds that the operator does not allow, and nobody is to wonder why a command gets no answer. */
function assertAllowed(declared: DeclaredEgress | undefined, allowed: readonly string[]): void {
  const refused = (declared?.rules ?? []).find(({ host }) => !allowed.some((pattern) => covers(pattern, host.toLowerCase())))
  if (refused)
    throw new StepFailure({
      code: 'not_permitted',
      message: `This agent's sandbox declares a way out to ${refused.host}, which runs may not reach here. LONGHAUL_SANDBOX_EGRESS_HOSTS allows: ${allowed.join(', ') || 'nothing'}.`,
      retryable: false,
    })
}

/** Whether more may leave by it than requests that read. A tunnel is not looked into. */
const maySend = ({ methods }: DeclaredEgress['rules'][number]): boolean => !methods?.every((method) => readingMethods.includes(method))
const readingMethods: readonly string[] = ['GET', 'HEAD', 'OPTIONS']

/** Whether everything that `host` means, itself a pattern perhaps, is meant by `pattern`. */
const covers = (pattern: string, host: string): boolean =>
  pattern === '*' || pattern === host || (pattern.startsWith('*.') && host.endsWith(pattern.slice(1)) && host !== pattern.slice(1))

const given = <Limits extends object>(limits: Limits) =>
  Object.fromEntries(Object.entries(limits).filter(([, value]) => value !== undefined)) as { [Name in keyof Limits]?: NonNullable<Limits[Name]> } // Those that are left are there.

/** Nothing reads a file's content in the journal: a worker that replays the run sends it again. */
const withoutContent = ({ base64, ...file }: { base64: string }) => ({ ...file, bytes: Buffer.from(base64, 'base64').length })

/** The exact prompt of a recorded model step, from what the journal holds of it and of the steps before it. */
export function promptOf(op: string, lookup: (op: string) => { input: Json; output: Json | undefined } | undefined): Prompt {
  return rebuildPrompt(op, (path) => recordedModelStep(lookup(path)))
}

function recordedModelStep(found: { input: Json; output: Json | undefined } | undefined) {
  if (!found) return undefined
  const reply = ModelReply.safeParse(found.output)
  return { request: parse(ModelRequest, found.input, 'model'), reply: reply.success ? reply.data : undefined }
}

function parse<Schema extends z.ZodType>(schema: Schema, input: Json, kind: string): z.output<Schema> {
  const parsed = schema.safeParse(input)
  if (!parsed.success)
    throw new StepFailure({
      message: `The input of this ${kind} step is malformed: ${parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; ')}.`,
      code: 'invalid',
      retryable: false,
    })
  return parsed.data
}

/** Plain data of ours, parsed against a schema: undefined properties are left out when it is written. */
const toJson = (value: object): Json => JSON.parse(JSON.stringify(value)) as Json
