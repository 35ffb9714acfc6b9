import { z } from 'zod'
import { operation } from './operation.ts'
import { roleNames } from './roles.ts'
import { SignedIn } from './sign-in.ts'
import { Etag, Name } from './values.ts'

const rolesOf = z.record(z.string().min(1).max(200), z.array(z.enum(roleNames)).min(1).max(roleNames.length))

/** How the tenant’s people sign in at a provider of theirs, by OpenID Connect. The client secret is never shown again. */
export const Sso = z.object({
  issuer: z.string(),
  clientId: z.string(),
  scopes: z.array(z.string()),
  /** The claim that says what somebody may do. Null: their roles are given here. */
  rolesClaim: z.string().nullable(),
  /** What its values come to. Somebody with several has the roles of all of them. */
  roles: rolesOf,
  createsPeople: z.boolean(),
  updatedAt: z.iso.datetime(),
  etag: Etag.optional(),
})
export type Sso = z.infer<typeof Sso>

/** The first redirect address is this, under the server’s own. */
export const ssoReturnPath = '/sign-in/return'

export const getSso = operation({
  id: 'sso.get',
  summary: 'The tenant’s single sign-on, without the client secret.',
  http: ['GET', '/v1/sso'],
  permission: 'people:manage',
  input: z.strictObject({}),
  output: Sso,
})
export const setSso = operation({
  id: 'sso.set',
  summary:
    'Have people sign in at an OpenID provider. It is asked before anything is stored. Whoever sets it decides who may sign in as whom, so it takes an administrator of the whole tenant.',
  http: ['POST', '/v1/sso'],
  permission: 'people:manage',
  input: z
    .strictObject({
      issuer: z.url({ protocol: /^https?$/, error: 'must be an http or https address' }).max(500),
      clientId: z.string().trim().min(1).max(200),
      /** Absent: the one that is stored, for the same issuer and client. */
      clientSecret: z.string().min(1).max(4_000).optional(),
      scopes: z
        .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,100}$/, 'must be a scope'))
        .max(20)
        .default(['email', 'profile']),
      rolesClaim: z.string().trim().min(1).max(200).nullable().default(null),
      roles: rolesOf.default({}),
      /** Somebody unknown becomes a person, with the roles that the claim comes to. Otherwise only who was invited gets in. */
      createsPeople: z.boolean().default(false),
    })
    .refine(
      ({ rolesClaim, roles }) => (rolesClaim === null) === (Object.keys(roles).length === 0),
      'rolesClaim and roles go together: which claim, and what its values come to',
    )
    .refine(({ rolesClaim, createsPeople }) => rolesClaim !== null || !createsPeople, 'createsPeople needs rolesClaim: somebody new has no other roles'),
  output: Sso,
})
export const deleteSso = operation({
  id: 'sso.delete',
  summary: 'End single sign-on and destroy the client secret. Whoever is signed in stays so.',
  http: ['DELETE', '/v1/sso'],
  permission: 'people:manage',
  input: z.strictObject({}),
  output: Sso,
})
export const ssoOperations = [getSso, setSso, deleteSso]

export const startSso = operation({
  id: 'signin.sso',
  summary: 'Begin to sign in at the tenant’s provider: where to send the browser. It comes back to `/sign-in/return`.',
  http: ['POST', '/v1/sign-in/sso'],
  permission: 'anybody',
  input: z.strictObject({ tenant: Name.default('default') }),
  output: z.object({ address: z.string() }),
})
export const finishSso = operation({
  id: 'signin.return',
  summary: 'Finish it, in the same browser, with the query that the provider sent it back with.',
  http: ['POST', '/v1/sign-in/return'],
  permission: 'anybody',
  input: z.strictObject({ query: z.string().max(8_000) }),
  output: SignedIn,
})
export const ssoSignInOperations = [startSso, finishSso]
