/** Versions that runs are started on by name, beside the live one: a branch's, a pull request's. */
import { z } from 'zod'
import { VersionName } from './agents.ts'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { Etag, Name } from './values.ts'

export const previewKeptMsDefault = 14 * 86_400_000

/** Where a version's code comes from. Shown to people, and never fetched. */
export const Source = z.strictObject({
  branch: z.string().min(1).max(300).optional(),
  commit: z
    .string()
    .regex(/^[0-9a-f]{7,64}$/, 'must be a commit’s hexadecimal digits')
    .optional(),
  url: z
    .url({ protocol: /^https?$/ })
    .max(2_000)
    .optional(),
})
export type Source = z.infer<typeof Source>

export const Preview = z.object({
  agent: Name,
  name: Name,
  version: z.string(),
  source: Source,
  madeBy: z.string(),
  updatedAt: z.iso.datetime(),
  /** When it is forgotten. Its version and its runs stay. */
  expiresAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Preview = z.infer<typeof Preview>

const agent = Name

export const setPreview = operation({
  id: 'previews.set',
  summary: 'Give a version a name that runs can be started on. A name that is there already moves to the version; no other run gets it.',
  http: ['POST', '/v1/agents/{agent}/previews'],
  permission: 'agents:deploy',
  input: z.strictObject({
    agent,
    name: Name,
    version: VersionName,
    source: Source.default({}),
    keepForMs: z.number().int().min(60_000).max(31_536_000_000).default(previewKeptMsDefault),
  }),
  output: Preview,
})
export const listPreviews = operation({
  id: 'previews.list',
  summary: 'Previews of an agent by name.',
  http: ['GET', '/v1/agents/{agent}/previews'],
  permission: 'agents:read',
  input: z.strictObject({ agent, ...PageInput }),
  output: pageOf(Preview),
})
export const deletePreview = operation({
  id: 'previews.delete',
  summary: 'Forget a preview. Its version and its runs stay.',
  http: ['DELETE', '/v1/agents/{agent}/previews/{name}'],
  permission: 'agents:deploy',
  input: z.strictObject({ agent, name: Name }),
  output: Preview,
})
export const previewOperations = [setPreview, listPreviews, deletePreview]
