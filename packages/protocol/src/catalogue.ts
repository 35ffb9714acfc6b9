import { z } from 'zod'
import { operation } from './operation.ts'
import { PageInput, pageOf } from './page.ts'
import { JsonValue } from './values.ts'

export const modelCapabilities = [
  'tools',
  'reasoning',
  'structured-output',
  'image-input',
  'audio-input',
  'file-input',
  'image-output',
  'audio-output',
] as const

const rate = z.number().min(0).max(100_000)
/** Dollars for a million tokens. A bucket without a rate of its own costs what plain input or plain output costs. */
const rates = {
  input: rate,
  cacheRead: rate.optional(),
  cacheWrite: rate.optional(),
  cacheWriteLong: rate.optional(),
  inputAudio: rate.optional(),
  inputImage: rate.optional(),
  output: rate,
  reasoning: rate.optional(),
  outputAudio: rate.optional(),
  outputImage: rate.optional(),
}
/** `long` counts for a whole call whose input is longer than `inputAbove` tokens. */
const price = { ...rates, long: z.strictObject({ inputAbove: z.number().int().min(1), ...rates }).optional() }
const Day = z.iso.date()

const limits = {
  /** Tokens that fit into one call, input and output together. */
  contextMax: z.number().int().min(1).max(1e9).optional(),
  /** Tokens of one answer. */
  outputMax: z.number().int().min(1).max(1e9).optional(),
  capabilities: z.array(z.enum(modelCapabilities)).max(modelCapabilities.length).optional(),
}

/** What is known of a model. `since`: the first day (UTC) of a price; the one that counts today is the last that has begun. */
export const ModelFacts = z.object({
  model: z.string(),
  prices: z.array(z.object({ ...price, since: Day.optional() })),
  ...limits,
})
export type ModelFacts = z.infer<typeof ModelFacts>

/** `price` is the one that counts today; null: none is known, and a caller with a budget in money is refused. */
export const Model = ModelFacts.extend({
  price: z.object({ ...price, since: Day.optional() }).nullable(),
  priceId: z.string().nullable(),
  source: z.string().nullable(),
  isOverridden: z.boolean(),
})
export type Model = z.infer<typeof Model>

const modelName = z
  .string()
  .min(3)
  .max(200)
  .regex(/^[a-z0-9-]+\/\S+$/, 'must be provider/model')

export const listModels = operation({
  id: 'models.list',
  summary: 'Models with their prices and limits: what the program knows, and before it what operators said.',
  http: ['GET', '/v1/catalogue/models'],
  permission: 'system:read',
  input: z.strictObject({
    /** Only models with this in their name. */
    search: z.string().max(200).optional(),
    limit: z.coerce.number().int().min(1).max(1_000).default(200),
  }),
  output: z.object({ items: z.array(Model), readOn: z.string(), isCut: z.boolean() }),
})
export const setModel = operation({
  id: 'models.set',
  summary: 'Say what a model costs from a day on, or what its limits are. Goes before what the program knows.',
  http: ['POST', '/v1/catalogue/models'],
  permission: 'money:manage',
  input: z.strictObject({
    model: modelName,
    /** Absent: today. */
    since: Day.optional(),
    price: z.strictObject(price).optional(),
    ...limits,
  }),
  output: Model,
})
export const unsetModel = operation({
  id: 'models.unset',
  summary: 'Take back what operators said of a model: all of it, or what counts from one day on.',
  http: ['POST', '/v1/catalogue/models/unset'],
  permission: 'money:manage',
  input: z.strictObject({ model: modelName, since: Day.optional() }),
  output: z.object({ model: z.string(), count: z.number().int() }),
})

const anyPrice = z.object({ ...price, since: Day.optional() }).nullable()

/** What another catalogue says otherwise of a model, as of today. */
export const CatalogueChange = z.object({
  model: z.string(),
  kind: z.enum(['price', 'limits', 'added']),
  was: anyPrice,
  now: anyPrice,
  /** Ten times as dear or as cheap, or free where it was not: look before it is applied. */
  isSuspicious: z.boolean(),
})
export type CatalogueChange = z.infer<typeof CatalogueChange>

/** A catalogue that was read after the program was made. */
export const CatalogueVersion = z.object({
  id: z.uuid(),
  source: z.string(),
  readOn: z.string(),
  changeCount: z.number().int(),
  madeBy: z.string(),
  madeAt: z.iso.datetime(),
  appliedBy: z.string().nullable(),
  /** Null: it was only looked at. */
  appliedAt: z.iso.datetime().nullable(),
  /** It counts now. One that was applied no longer does once the program's own is newer. */
  isCurrent: z.boolean(),
})
export type CatalogueVersion = z.infer<typeof CatalogueVersion>

export const refreshModels = operation({
  id: 'models.refresh',
  summary: 'Read a whole catalogue of models and say what it would change. Nothing counts before it is applied.',
  http: ['POST', '/v1/catalogue/versions'],
  permission: 'money:manage',
  input: z
    .strictObject({
      /** On the public internet; in our form, or that of https://models.dev/api.json. */
      url: z
        .url({ protocol: /^https?$/ })
        .max(2_000)
        .optional(),
      /** The same, itself. */
      catalogue: JsonValue.optional(),
    })
    .refine(({ url, catalogue }) => (url === undefined) !== (catalogue === undefined), 'Give an address or a catalogue.'),
  output: z.object({
    id: z.uuid(),
    source: z.string(),
    readOn: z.string(),
    modelCount: z.number().int(),
    changeCount: z.number().int(),
    /** At most 500, those to look at first. */
    changes: z.array(CatalogueChange),
  }),
  bodyBytesMax: 16 * 1024 * 1024,
})
export const applyCatalogue = operation({
  id: 'models.apply',
  summary: 'Let a catalogue count that was read: other prices begin today. Prices that operators set go before it.',
  http: ['POST', '/v1/catalogue/versions/{versionId}/apply'],
  permission: 'money:manage',
  input: z.strictObject({ versionId: z.uuid() }),
  output: CatalogueVersion,
})
export const rollbackCatalogue = operation({
  id: 'models.rollback',
  summary: 'Go back to the catalogue that counted before, or to the one that the program brings along.',
  http: ['POST', '/v1/catalogue/rollback'],
  permission: 'money:manage',
  input: z.strictObject({}),
  /** Null: the program’s own counts. */
  output: z.object({ current: CatalogueVersion.nullable() }),
})
export const listCatalogueVersions = operation({
  id: 'models.versions',
  summary: 'Catalogues that were read, latest first.',
  http: ['GET', '/v1/catalogue/versions'],
  permission: 'system:read',
  input: z.strictObject(PageInput),
  output: pageOf(CatalogueVersion),
})

export const catalogueOperations = [listModels, setModel, unsetModel, refreshModels, applyCatalogue, rollbackCatalogue, listCatalogueVersions]
