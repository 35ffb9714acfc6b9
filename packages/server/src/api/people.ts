import {
  addPasskey,
  askForPasskey,
  askForReset,
  challengePasskey,
  changePassword,
  confirmEnrolment,
  decideDevice,
  deleteLogin,
  deletePasskey,
  deletePerson,
  deleteSso,
  endEnrolment,
  finishSso,
  getDevice,
  getMe,
  getSso,
  invitePerson,
  linkPerson,
  listLogins,
  listMails,
  listPasskeys,
  listPeople,
  lookAtLink,
  pollDevice,
  renamePasskey,
  renewRecoveryCodes,
  retryMail,
  setSso,
  signInWithFactor,
  signInWithPasskey,
  signInWithPassword,
  signOut,
  signOutPerson,
  startDevice,
  startEnrolment,
  startPasskey,
  startSso,
  setMails,
  stepUp,
  updatePerson,
  useLink,
} from '@longhaul/protocol'
import type { SignedIn } from '@longhaul/protocol'
import type { Identities, SignInResult } from '../identity/index.ts'
import type { Exchange } from './exchange.ts'
import { type Implementation, audited, implement, implementOpen, implementOwn } from './implement.ts'

export const peopleImplementations = ({ people, sso }: Identities): Implementation[] =>
  [
    implement(invitePerson, (caller, input) => people.invite(caller, input)),
    implement(listPeople, (caller, input) => people.list(caller, input)),
    implement(updatePerson, (caller, input) => people.update(caller, input)),
    implement(linkPerson, (caller, input) => people.link(caller, input)),
    implement(signOutPerson, (caller, { personId }) => people.signOut(caller, personId)),
    implement(deletePerson, (caller, { personId }) => people.delete(caller, personId)),
    implement(listMails, (caller, input) => people.mails(caller, input)),
    implement(retryMail, (caller, { mailId }) => people.retryMail(caller, mailId)),
    implement(getSso, (caller) => sso.get(caller)),
    implement(setSso, (caller, input) => sso.set(caller, input)),
    implement(deleteSso, (caller) => sso.delete(caller)),
  ].map(audited)

export const signInImplementations = ({ signIn, sso, resets }: Identities): Implementation[] => [
  implementOpen(signInWithPassword, async (input, exchange) => settle(await signIn.password(input, exchange.asking), exchange)),
  implementOpen(signInWithFactor, async (input, exchange) => settle(await signIn.factor(input, exchange.asking), exchange)),
  implementOpen(askForPasskey, async ({ ticket }, { asking }) => ({ options: await signIn.askForPasskey(ticket, asking) })),
  implementOpen(signInWithPasskey, async ({ passkey }, exchange) => settle(await signIn.passkey(passkey, exchange.asking), exchange)),
  implementOpen(askForReset, (input, { asking }) => resets.ask(input, asking)),
  implementOpen(lookAtLink, ({ token }) => signIn.lookAtLink(token)),
  implementOpen(useLink, async (input, exchange) => settle(await signIn.join(input, exchange.asking), exchange)),
  implementOpen(startSso, async ({ tenant }, { asking, setCookie }) => {
    const { address, state } = await sso.start(tenant, asking.origin)
    setCookie('sso', state)
    return { address }
  }),
  implementOpen(finishSso, async ({ query }, exchange) => {
    const state = exchange.readCookie('sso')
    exchange.setCookie('sso', undefined)
    return settle(await sso.finish({ query, state }, exchange.asking), exchange)
  }),
  implementOpen(startDevice, async (input, { asking }) => {
    const started = await signIn.startDevice(input, asking)
    return { ...started, address: `/device?code=${started.userCode}` }
  }),
  implementOpen(pollDevice, ({ deviceCode }, { asking }) => signIn.pollDevice(deviceCode, asking)),
]

export const meImplementations = ({ signIn, secondFactor, passkeys, logins }: Identities): Implementation[] =>
  [
    implementOwn(getMe, (caller) => signIn.me(caller)),
    implementOwn(signOut, async (caller, _, exchange) => {
      exchange.setCookie('login', undefined)
      return signIn.signOut(caller)
    }),
    implementOwn(changePassword, async (caller, input, { asking }) => {
      await signIn.changePassword(caller, input, asking)
      return signIn.me(caller)
    }),
    implementOwn(setMails, async (caller, { approvals }) => {
      await signIn.setMails(caller, approvals)
      return signIn.me(caller)
    }),
    implementOwn(stepUp, async (caller, given, { asking }) => {
      await secondFactor.stepUp(caller, given, asking)
      return signIn.me(caller)
    }),
    implementOwn(startEnrolment, (caller, { password }, { asking }) => secondFactor.enroll(caller, password, asking)),
    implementOwn(confirmEnrolment, (caller, { code }, { asking }) => secondFactor.confirm(caller, code, asking)),
    implementOwn(renewRecoveryCodes, (caller) => secondFactor.renewRecoveryCodes(caller)),
    implementOwn(endEnrolment, async (caller) => {
      await secondFactor.unenroll(caller)
      return signIn.me(caller)
    }),
    implementOwn(listPasskeys, async (caller) => ({ items: await passkeys.list(caller) })),
    implementOwn(startPasskey, async (caller, { password }, { asking }) => ({ options: await passkeys.start(caller, password, asking) })),
    implementOwn(addPasskey, (caller, input, { asking }) => passkeys.add(caller, input, asking)),
    implementOwn(renamePasskey, (caller, { passkeyId, name }) => passkeys.rename(caller, passkeyId, name)),
    implementOwn(deletePasskey, (caller, { passkeyId }) => passkeys.delete(caller, passkeyId)),
    implementOwn(challengePasskey, async (caller, _, { asking }) => ({
      options: await passkeys.ask('step-up', { id: caller.keyId, tenantId: caller.tenantId }, asking),
    })),
    implementOwn(listLogins, async (caller) => ({ items: await logins.list(caller) })),
    implementOwn(deleteLogin, (caller, { loginId }) => logins.delete(caller, loginId)),
    implementOwn(getDevice, (caller, { userCode }) => signIn.getDevice(caller, userCode)),
    implementOwn(decideDevice, async (caller, { userCode, approved }) => {
      await signIn.decideDevice(caller, userCode, approved)
      return { userCode, approved }
    }),
  ].map(audited)

function settle(result: SignInResult, { setCookie }: Exchange): SignedIn {
  if (result.state === 'second-factor') return result
  setCookie('login', result.cookie)
  setCookie('device', result.device)
  return { state: result.state, ticket: null, factors: [] }
}
