/** The commands about people, with their help: signing in, oneself, and others. */
import type { Mail } from '@longhaul/protocol'
import { type Command, Option } from 'commander'
import type { MailListOptions } from './commands/mails.ts'
import type { Language, PersonOptions } from './commands/people.ts'
import type { SsoOptions } from './commands/sso.ts'
import { type Act, type Shared, collect, examples, withEdit, withServer, wholeNumber } from './options.ts'

export function peopleCommands(program: Command, act: Act): void {
  loginCommands(program, act)
  meCommands(program, act)
  peopleCommand(program, act)
  mailsCommand(program, act)
  ssoCommand(program, act)
}

function loginCommands(program: Command, act: Act): void {
  const load = () => import('./commands/login.ts')
  program
    .command('login')
    .description('sign in as yourself: the console asks you whether this program may act for you')
    .option('--url <url>', 'the server’s address')
    .option('--tenant <tenant>', 'your tenant', 'default')
    .option('--json', 'print JSON, one value a line')
    .addHelpText('after', examples('npx longhaul login --url https://longhaul.example.com', 'npx longhaul login --tenant acme'))
    .action((options: Shared & { tenant: string }) => act(options, async (invocation) => (await load()).login(invocation, options)))
  program
    .command('logout')
    .description('end that login, here and at the server')
    .option('--url <url>', 'the server’s address')
    .option('--json', 'print JSON, one value a line')
    .addHelpText('after', examples('npx longhaul logout'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).logout(invocation)))
}

function meCommands(program: Command, act: Act): void {
  const load = () => import('./commands/me.ts')
  const me = program
    .command('me')
    .description('who you are signed in as, your second factor, and where you are signed in')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul me show', 'npx longhaul me step-up', 'npx longhaul me logins'))
  const command = (name: string, description: string, example: string) =>
    withServer(me.command(name)).description(description).addHelpText('after', examples(example))
  command('show', 'who you are, and until when a second factor counts as just given', 'npx longhaul me show').action((options: Shared) =>
    act(options, async (invocation) => (await load()).showMe(invocation)),
  )
  command('step-up', 'give a code, so that sensitive operations are let through for a while', 'npx longhaul me step-up').action((options: Shared) =>
    act(options, async (invocation) => (await load()).stepUp(invocation)),
  )
  command('mails', 'which mails you get', 'npx longhaul me mails --approvals off')
    .addOption(new Option('--approvals <word>', 'about approvals that you may decide').choices(['on', 'off']).makeOptionMandatory())
    .action((options: Shared & { approvals: 'on' | 'off' }) =>
      act(options, async (invocation) => (await load()).setMails(invocation, options.approvals === 'on')),
    )
  command('enroll', 'turn on a second factor with an authenticator', 'npx longhaul me enroll').action((options: Shared) =>
    act(options, async (invocation) => (await load()).enroll(invocation)),
  )
  command('unenroll', 'turn the second factor off', 'npx longhaul me unenroll').action((options: Shared) =>
    act(options, async (invocation) => (await load()).unenroll(invocation)),
  )
  command('recovery-codes', 'new recovery codes in place of the old ones', 'npx longhaul me recovery-codes').action((options: Shared) =>
    act(options, async (invocation) => (await load()).renewRecoveryCodes(invocation)),
  )
  command('password', 'change your password; all your other logins end', 'npx longhaul me password').action((options: Shared) =>
    act(options, async (invocation) => (await load()).changePassword(invocation)),
  )
  command('logins', 'where you are signed in', 'npx longhaul me logins').action((options: Shared) =>
    act(options, async (invocation) => (await load()).listLogins(invocation)),
  )
  command('passkeys', 'your passkeys; the console makes them', 'npx longhaul me passkeys').action((options: Shared) =>
    act(options, async (invocation) => (await load()).listPasskeys(invocation)),
  )
  command('rename-passkey', 'give a passkey another name', 'npx longhaul me rename-passkey 3b0a6f2d "my phone"')
    .argument('<passkey>', 'its id, or the end of it as the list shows it')
    .argument('<name>')
    .action((id: string, name: string, options: Shared) => act(options, async (invocation) => (await load()).renamePasskey(invocation, id, name)))
  command('delete-passkey', 'take a passkey away: it signs nobody in any more', 'npx longhaul me delete-passkey 3b0a6f2d')
    .argument('<passkey>', 'its id, or the end of it as the list shows it')
    .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).deletePasskey(invocation, id)))
  command('end-login', 'sign out somewhere else', 'npx longhaul me end-login 3b0a6f2d')
    .argument('<login>', 'its id, or the end of it as the list shows it')
    .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).endLogin(invocation, id)))
}

function peopleCommand(program: Command, act: Act): void {
  const load = () => import('./commands/people.ts')
  const people = program
    .command('people')
    .description('invite people, say what they may do, disable them')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nA person goes by the e-mail address, or by the id.${examples('npx longhaul people invite ada@example.com --role developer', 'npx longhaul people list')}`,
    )
  withLanguage(withRights(withServer(people.command('invite'))))
    .description(
      'make a person, and a link under which they set their password; it is shown once, works for three days, and goes to them by mail where the server sends any',
    )
    .argument('<email>')
    .addHelpText('after', examples('npx longhaul people invite ada@example.com --name Ada --role developer --role approver'))
    .action((email: string, options: Shared & PersonOptions) => act(options, async (invocation) => (await load()).invite(invocation, email, options)))
  withServer(people.command('list'))
    .description('the people of the tenant')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul people list'))
    .action((options: Shared & { limit: number; cursor?: string }) => act(options, async (invocation) => (await load()).listPeople(invocation, options)))
  withRights(withEdit(people.command('update')))
    .description('change what a person may do; what is left out stays as it is')
    .argument('<person>')
    .option('--everywhere', 'in all namespaces, with all agents')
    .addHelpText('after', examples('npx longhaul people update ada@example.com --role operator'))
    .action((person: string, options: Shared & PersonOptions & { everywhere?: boolean }) =>
      act(options, async (invocation) => (await load()).updatePerson(invocation, person, options)),
    )
  for (const [verb, isDisabled] of [
    ['disable', true],
    ['enable', false],
  ] as const)
    withServer(people.command(verb))
      .description(isDisabled ? 'end all logins of a person, and let them in no more' : 'let a person in again')
      .argument('<person>')
      .addHelpText('after', examples(`npx longhaul people ${verb} ada@example.com`))
      .action((person: string, options: Shared) => act(options, async (invocation) => (await load()).setDisabled(invocation, person, isDisabled)))
  withLanguage(withServer(people.command('link')))
    .description('a new link for somebody who lost the last one or the password')
    .argument('<person>')
    .option('--reset-second-factor', 'also for somebody who lost the authenticator and the recovery codes')
    .addHelpText('after', examples('npx longhaul people link ada@example.com'))
    .action((person: string, options: Shared & { resetSecondFactor?: boolean; language?: Language }) =>
      act(options, async (invocation) =>
        (await load()).linkPerson(invocation, person, {
          ...(options.resetSecondFactor && { resetSecondFactor: true }),
          ...(options.language && { language: options.language }),
        }),
      ),
    )
  withServer(people.command('sign-out'))
    .description('end all logins of a person')
    .argument('<person>')
    .addHelpText('after', examples('npx longhaul people sign-out ada@example.com'))
    .action((person: string, options: Shared) => act(options, async (invocation) => (await load()).signOutPerson(invocation, person)))
  withEdit(people.command('delete'))
    .description('remove a person; what they did stays in the audit log')
    .argument('<person>')
    .addHelpText('after', examples('npx longhaul people delete ada@example.com'))
    .action((person: string, options: Shared) => act(options, async (invocation) => (await load()).deletePerson(invocation, person)))
}

function mailsCommand(program: Command, act: Act): void {
  const load = () => import('./commands/mails.ts')
  const mails = program
    .command('mails')
    .description('mail to people, with their links: what was sent, and what could not be')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul mails list --state failed', 'npx longhaul mails retry 3b0a6f2d'))
  withServer(mails.command('list'))
    .description('newest first; kept for 30 days')
    .addOption(new Option('--state <state>', 'only those').choices(['pending', 'sent', 'failed', 'dropped'] satisfies Mail['state'][]))
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul mails list --state failed'))
    .action((options: Shared & MailListOptions) => act(options, async (invocation) => (await load()).listMails(invocation, options)))
  withServer(mails.command('retry'))
    .description('send one that failed once more')
    .argument('<mail>', 'its id, or the end of it as the list shows it')
    .addHelpText('after', examples('npx longhaul mails retry 3b0a6f2d'))
    .action((mail: string, options: Shared) => act(options, async (invocation) => (await load()).retryMail(invocation, mail)))
}

function ssoCommand(program: Command, act: Act): void {
  const load = () => import('./commands/sso.ts')
  const sso = program
    .command('sso')
    .description('have people sign in at an OpenID provider of yours')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul sso set --issuer https://login.example.com --client-id longhaul', 'npx longhaul sso get'))
  withEdit(sso.command('set'))
    .description('set it, or change it; the client secret is asked for, and the provider is asked before anything is stored')
    .requiredOption('--issuer <url>', 'the provider’s address, under which /.well-known/openid-configuration is')
    .requiredOption('--client-id <id>', 'what the provider calls this server')
    .option('--keep-secret', 'use the client secret that is stored')
    .option('--scope <name>', 'what to ask for besides openid (default: email, profile); may be given several times', collect)
    .option('--claim <name>', 'the claim that says what somebody may do')
    .option('--map <value=roles>', 'what a value of it comes to; may be given several times', collect)
    .option('--create-people', 'let in whoever the claim gives a role, not only who was invited')
    .addHelpText(
      'after',
      examples(
        'npx longhaul sso set --issuer https://login.example.com --client-id longhaul',
        'npx longhaul sso set --issuer https://login.example.com --client-id longhaul --scope email --scope groups --claim groups --map platform=developer,approver --create-people',
      ),
    )
    .action((options: Shared & SsoOptions) => act(options, async (invocation) => (await load()).setSso(invocation, options)))
  withServer(sso.command('get'))
    .description('how it is set')
    .addHelpText('after', examples('npx longhaul sso get'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).getSso(invocation)))
  withEdit(sso.command('delete'))
    .description('end it; who is signed in stays so')
    .addHelpText('after', examples('npx longhaul sso delete'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).deleteSso(invocation)))
}

const withLanguage = (command: Command): Command =>
  command.addOption(new Option('--language <language>', 'of the mail to them (default: en)').choices(['en', 'zh'] satisfies Mail['language'][]))

const withRights = (command: Command): Command =>
  command
    .option('--name <name>', 'how runs and the audit log call them')
    .option('--role <name>', 'administrator, developer, operator, approver, auditor or viewer; may be given several times', collect)
    .option('--namespace <name>', 'only in this namespace; may be given several times', collect)
    .option('--agent <name>', 'only with this agent; may be given several times', collect)
    .option('--region <name>', 'see only this region; may be given several times', collect)
    .option('--no-personal-data', 'see no personal data')
