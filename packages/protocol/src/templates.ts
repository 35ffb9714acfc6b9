/** Templates: workspaces that are prepared once, by a list of steps, and that sandboxes begin as copies of. */
import { z } from 'zod'
import { Egress } from './egress.ts'
import { ImageReference } from './images.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { SandboxLimitsInput } from './sandbox-limits.ts'
import { Name } from './values.ts'

export const templateStates = ['preparing', 'ready', 'failed'] as const

const path = z.string().min(1).max(4_096)
const packageList = (name: RegExp, example: string) =>
  z
    .array(z.string().max(300).regex(name, `must be a package such as ${example}`))
    .min(1)
    .max(200)

/** What a preparation does, in this order: packages of npm, packages of Python, commands. */
export const templateSteps = {
  packages: z
    .strictObject({
      /** For `node`: they land in `/workspace/node_modules`. */
      npm: packageList(/^(@[a-z0-9][a-z0-9._~-]*\/)?[a-z0-9][a-z0-9._~-]*(@[A-Za-z0-9^~<>=. _|*+-]+)?$/, 'zod or zod@4.1.5').optional(),
      /** For `python3`: they land in the sandbox user's own packages. */
      pip: packageList(/^[A-Za-z0-9][A-Za-z0-9._-]*(\[[A-Za-z0-9._,-]+\])?([<>=!~]=?[A-Za-z0-9.*,<>=!~+-]+)?$/, 'pandas or pandas==2.2.3').optional(),
    })
    .optional(),
  /** Lines for the shell, in `/workspace`, each when the one before has succeeded. */
  commands: z.array(z.string().min(1).max(20_000)).max(100).optional(),
  /** For every command of the preparation, and of sandboxes made from it. */
  env: z
    .record(z.string().min(1).max(256), z.string().max(32_000))
    .refine((given) => Object.keys(given).length <= 200, 'at most 200 variables')
    .optional(),
  /** Of each step. */
  timeoutMs: z.number().int().min(1_000).max(3_600_000).default(600_000),
}

/** A version of a template. Its name, or its name with `@` and a number, or its id. */
export const TemplateRef = z
  .string()
  .max(80)
  .regex(/^[a-z0-9][a-z0-9-]{0,62}(@[1-9][0-9]{0,8})?$/, 'must be the name of a template such as data or data@3, or an id')

export const Template = z.object({
  id: z.uuid(),
  name: z.string(),
  /** Counted from 1; a version never changes. */
  version: z.number().int(),
  state: z.enum(templateStates),
  /** Why it failed. */
  problem: z.string().nullable(),
  /** Steps that are done, of how many; and the one that is under way or failed. */
  stepsDone: z.number().int(),
  stepCount: z.number().int(),
  step: z.string().nullable(),
  /** The root of its preparation and of sandboxes that begin with it, by its reference; null: what the server gives to all. */
  image: z.string().nullable(),
  /** As it is stored. */
  bytes: z.number().int(),
  createdAt: z.iso.datetime(),
  preparedAt: z.iso.datetime().nullable(),
  /** When a sandbox was last made from it. */
  usedAt: z.iso.datetime(),
  /** Sandboxes, and templates, that began with it. */
  useCount: z.number().int(),
})
export type Template = z.infer<typeof Template>

/** With the end of what the preparation wrote. */
export const TemplateDetail = Template.extend({
  log: z.string(),
  /** The beginning of the log is not kept. */
  isLogCut: z.boolean(),
})
export type TemplateDetail = z.infer<typeof TemplateDetail>

export const createTemplate = operation({
  id: 'templates.create',
  summary: 'Prepare a new version of a template. Returns at once; the version can be used when its state is `ready`.',
  http: ['POST', '/v1/templates'],
  permission: 'sandboxes:write',
  input: z.strictObject({
    name: Name,
    /** A template to begin with. */
    from: TemplateRef.optional(),
    ...templateSteps,
    files: z
      .array(z.strictObject({ path, base64: z.string().max(12_000_000) }))
      .max(1_000)
      .optional(),
    limits: SandboxLimitsInput.optional(),
    /** The root of its preparation and of sandboxes that begin with it. Absent: what `from` has. */
    image: ImageReference.optional(),
    /** What may leave while it is prepared: package registries, for example. Sandboxes made from it have none of that. */
    egress: Egress.optional(),
  }),
  output: Template,
  bodyBytesMax: 16_000_000,
})

export const listTemplates = operation({
  id: 'templates.list',
  summary: 'Versions of templates, newest first.',
  http: ['GET', '/v1/templates'],
  permission: 'sandboxes:read',
  input: z.strictObject({ ...PageInput, name: Name.optional() }),
  output: pageOf(Template),
})

export const getTemplate = operation({
  id: 'templates.get',
  summary: 'One version of a template, with the log of its preparation. A name alone is its newest version, in whatever state.',
  http: ['GET', '/v1/templates/{templateId}'],
  permission: 'sandboxes:read',
  input: z.strictObject({ templateId: TemplateRef }),
  output: TemplateDetail,
})

export const deleteTemplate = operation({
  id: 'templates.delete',
  summary: 'Delete one version of a template, by id or as name@version; a preparation under way is ended. Sandboxes made from it stay.',
  http: ['DELETE', '/v1/templates/{templateId}'],
  permission: 'sandboxes:write',
  input: z.strictObject({
    templateId: TemplateRef.refine((given) => /@|^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(given), 'must name one version: name@version, or an id'),
  }),
  output: Template,
})

export const templateOperations = [createTemplate, listTemplates, getTemplate, deleteTemplate]
