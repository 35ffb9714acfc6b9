import { z } from 'zod'
import { MailLanguage } from './mails.ts'
import { operation } from './operation.ts'
import { roleNames } from './roles.ts'
import { DataAccess, Etag, Name } from './values.ts'

export const Email = z.email('must be an e-mail address').max(254).toLowerCase()
export const personStates = ['invited', 'active', 'disabled'] as const

/** Somebody of a tenant. May do what the roles come to, as a key with them may. */
export const Person = z.object({
  id: z.uuid(),
  email: z.string(),
  name: z.string(),
  roles: z.array(z.enum(roleNames)),
  /** Where they may do what they may. Null: in all namespaces, with all agents. */
  namespaces: z.array(Name).nullable(),
  agents: z.array(Name).nullable(),
  access: DataAccess,
  state: z.enum(personStates),
  hasSecondFactor: z.boolean(),
  createdAt: z.iso.datetime(),
  lastSeenAt: z.iso.datetime().nullable(),
  etag: Etag.optional(),
})
export type Person = z.infer<typeof Person>

/** `link` is the address under the server’s own, once. Whoever has it becomes that person. `isMailed`: it is on its way to them by mail as well. */
const WithLink = Person.extend({ link: z.string(), linkExpiresAt: z.iso.datetime(), isMailed: z.boolean() })
export type PersonWithLink = z.infer<typeof WithLink>

const name = z.string().trim().min(1).max(100)
const roles = z.array(z.enum(roleNames)).min(1).max(roleNames.length)
const scope = z.array(Name).min(1).max(100)
const personId = z.uuid()

export const invitePerson = operation({
  id: 'people.invite',
  summary: 'Make a person, with a link under which they set their password. The link is in the answer, and in a mail to them where the server sends mail.',
  http: ['POST', '/v1/people'],
  permission: 'people:manage',
  input: z.strictObject({
    email: Email,
    /** Absent: what stands before the @. */
    name: name.optional(),
    roles,
    namespaces: scope.optional(),
    agents: scope.optional(),
    access: DataAccess.default({ personalData: true }),
    /** Of the mail to them. */
    language: MailLanguage.default('en'),
  }),
  output: WithLink,
})
export const listPeople = operation({
  id: 'people.list',
  summary: 'The people of the tenant whom the caller may manage, by e-mail address.',
  http: ['GET', '/v1/people'],
  permission: 'people:manage',
  input: z.strictObject({ limit: z.coerce.number().int().min(1).max(200).default(50), cursor: z.string().max(254).optional() }),
  output: z.object({ items: z.array(Person), next: z.string().nullable() }),
})
export const updatePerson = operation({
  id: 'people.update',
  summary: 'Change what a person may do, or disable them: all their logins end at once. What is left out stays as it is.',
  http: ['POST', '/v1/people/{personId}'],
  permission: 'people:manage',
  input: z.strictObject({
    personId,
    name: name.optional(),
    roles: roles.optional(),
    namespaces: scope.nullable().optional(),
    agents: scope.nullable().optional(),
    access: DataAccess.optional(),
    isDisabled: z.boolean().optional(),
  }),
  output: Person,
})
export const linkPerson = operation({
  id: 'people.link',
  summary: 'Make a new link for somebody who lost the last one or the password. The one before stops working.',
  http: ['POST', '/v1/people/{personId}/link'],
  permission: 'people:manage',
  /** Without it the second factor is asked for after the link as it was before. */
  input: z.strictObject({ personId, resetSecondFactor: z.boolean().default(false), language: MailLanguage.default('en') }),
  output: WithLink,
})
export const signOutPerson = operation({
  id: 'people.signout',
  summary: 'End all logins of a person.',
  http: ['POST', '/v1/people/{personId}/sign-out'],
  permission: 'people:manage',
  input: z.strictObject({ personId }),
  output: z.object({ count: z.number().int() }),
})
export const deletePerson = operation({
  id: 'people.delete',
  summary: 'Remove a person with their logins. What they did stays in the audit log.',
  http: ['DELETE', '/v1/people/{personId}'],
  permission: 'people:manage',
  input: z.strictObject({ personId }),
  output: Person,
})

export const peopleOperations = [invitePerson, listPeople, updatePerson, linkPerson, signOutPerson, deletePerson]
