import { z } from 'zod'

/** A host name, or `*.` and a name for everything below it. Never an address: what a name leads to is looked up, and checked, by the proxy. */
const HostPattern = z
  .string()
  .max(255)
  .regex(/^(\*\.)?([a-z0-9_-]+\.)+[a-z][a-z0-9-]*$/i, 'must be a host name such as api.example.com or *.example.com')

/** A header that the proxy puts into each request which the rule lets through. Its value stays in the server's memory: no sandbox, row or log holds it. */
export const EgressCredential = z.strictObject({
  header: z
    .string()
    .max(100)
    .regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header'),
  value: z
    .string()
    .min(1)
    .max(8_000)
    .regex(/^[\x20-\x7e]+$/, 'must be printable ASCII'),
})
export type EgressCredential = z.infer<typeof EgressCredential>

/** A rule without its credential. */
export const egressRuleFields = {
  host: HostPattern,
  /** 443 and 80 unless given. */
  port: z.number().int().min(1).max(65_535).optional(),
  methods: z
    .array(z.enum(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']))
    .min(1)
    .max(7)
    .optional(),
  /** A path, or one that ends in `*` for everything that begins so. */
  paths: z
    .array(
      z
        .string()
        .max(1_000)
        .regex(/^\/[^*?#]*\*?$/, 'must begin with / and may end in *'),
    )
    .min(1)
    .max(50)
    .optional(),
}

/** What may leave. With methods, paths or a credential the proxy reads the requests: it then speaks TLS with the sandbox itself, under an authority of that sandbox alone. */
export const EgressRule = z.strictObject({ ...egressRuleFields, credential: EgressCredential.optional() })
export type EgressRule = z.infer<typeof EgressRule>

/** Nothing leaves that no rule names. */
export const Egress = z.strictObject({
  rules: z.array(EgressRule).max(100),
  /** Over the sandbox's whole life, both ways together. */
  bytesMax: z.number().int().min(1).max(1e13).default(1_000_000_000),
  requestsMax: z.number().int().min(1).max(1e9).default(10_000),
})
export type Egress = z.infer<typeof Egress>

/** The same as it is shown: of a credential only which header it sets, and whether the server still has its value, which a restart forgets. */
export const ShownEgress = z.object({
  rules: z.array(z.object({ ...egressRuleFields, credential: z.object({ header: z.string(), isKnown: z.boolean() }).optional() })),
  bytesMax: z.number(),
  requestsMax: z.number(),
})
export type ShownEgress = z.infer<typeof ShownEgress>

/** One attempt to leave a sandbox. */
export const EgressConnection = z.object({
  id: z.uuid(),
  host: z.string(),
  port: z.number().int(),
  /** Null for a tunnel: the proxy does not see into it. */
  method: z.string().nullable(),
  path: z.string().nullable(),
  verdict: z.enum(['allowed', 'refused', 'failed']),
  /** Why it was refused or failed. */
  reason: z.string().nullable(),
  /** Of an answer that the proxy saw. */
  status: z.number().int().nullable(),
  bytesOut: z.number().int(),
  bytesIn: z.number().int(),
  startedAt: z.iso.datetime(),
  durationMs: z.number().int(),
})
export type EgressConnection = z.infer<typeof EgressConnection>
