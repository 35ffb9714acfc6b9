/** Custom agents from images, with a real program of another root than this host's: deployed by one command, walled as any sandbox, asked as any custom agent. */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { type Json, isTerminal } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { until } from './support/api-bed.ts'
import { startFakeRegistry } from './support/fake-registry.ts'
import { type Entry, type ImageParts, imageArchive, programEntries, savedArchive, smallSystem, writeImageFolder } from './support/image.ts'
import { isHere } from './support/sandbox-modes.ts'
import { openServerProcess } from './support/server-process.ts'

const perl = '/usr/bin/perl'
const canRun = isHere('bwrap', 'images of custom agents') && existsSync(perl)
const limitMs = 120_000
const root = join(import.meta.dirname, '../../..')
const registry = await startFakeRegistry({ isClosed: true })
const server = await openServerProcess({
  env: {
    LONGHAUL_SANDBOX_DRIVER: canRun ? 'bwrap' : 'virtual',
    LONGHAUL_SANDBOX_ACCEPT: 'memory,cpu,disk',
    LONGHAUL_SANDBOX_IMAGE_REGISTRIES: JSON.stringify({ [registry.host]: { username: 'ada', password: 'secret' } }),
  },
})
const longhaul = (...args: string[]) => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['--conditions=longhaul-source', join(root, 'packages/cli/bin/longhaul.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], LONGHAUL_URL: server.url(), LONGHAUL_API_KEY: server.key() },
  })
  return { status, said: (stdout + stderr).replace(/\s+/g, ' ') } // Its lines are as wide as the terminal.
}

/** Perl without a module of its own: what an image brings and nothing of this host's. */
const program = String.raw`
$| = 1; my $turns = 0;
sub at { pack('S n a4 x8', 2, $_[0], pack('C4', 127, 0, 0, 1)) }
sub text { my $t = join('', @_); $t =~ s/([^\x20-\x21\x23-\x5b\x5d-\x7e])/sprintf('\\u%04x', ord($1))/ge; qq("$t") }
sub writes { open(my $f, '>', $_[0]) ? 'yes' : 'no' }
sub names { opendir(my $d, $_[0]) or return ''; join(' ', sort grep { !/^\.\.?$/ } readdir($d)) }
sub slurp { open(my $f, '<', $_[0]) or return ''; local $/; <$f> }
sub tools {
  socket(my $s, 2, 1, 6) or return 'no socket'; connect($s, at(3128)) or return "no way: $!";
  my $body = '{"expression":"6 * 7"}'; my $to = "$ENV{LONGHAUL_TOOLS_URL}/calculator"; my ($host, $path) = $to =~ m{//([^/]+)(/.*)};
  syswrite($s, "POST $path HTTP/1.1\r\nhost: $host\r\nauthorization: Bearer $ENV{LONGHAUL_TOKEN}\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: " . length($body) . "\r\n\r\n$body");
  local $/; scalar <$s>
}
my %does = (
  about => sub { (user => "$< $)", cwd => readlink('/proc/self/cwd'), greeting => $ENV{GREETING}, args => "@ARGV", home => $ENV{HOME}, root => names('/'), workspace => names('/workspace'), library => $ENV{LD_LIBRARY_PATH} // '' ) },
  writes => sub { map { ($_ => writes($_)) } qw(/x /etc/x /srv/x /usr/bin/perl /run/longhaul/o/sh /data/x /tmp/x /workspace/x) },
  host => sub { (shadow => slurp('/etc/shadow'), passwd => slurp('/etc/passwd'), shell => (-e '/bin/sh' ? 'yes' : 'no'), node => (-e '/opt/longhaul' ? 'yes' : 'no'), secret => slurp('/srv/link'), agent => slurp('/proc/2/maps') eq '' ? 'closed' : 'open', init => join(' ', split(/\0/, slurp('/proc/1/environ')))) },
  outside => sub { socket(my $s, 2, 1, 6); (reached => connect($s, pack('S n a4 x8', 2, 53, pack('C4', 1, 1, 1, 1))) ? 'yes' : 'no') },
  tool => sub { (text => tools()) },
  turns => sub { (turns => ++$turns) },
  die => sub { print STDERR "the disk is on fire\n"; exit 7 },
);
socket(L, 2, 1, 6) or die; bind(L, at($ENV{PORT})) or die "bind: $!"; listen(L, 5);
while (accept(C, L)) {
  my ($line, $length) = (scalar(<C>), 0);
  while (my $head = <C>) { last if $head eq "\r\n"; $length = $1 if $head =~ /^content-length: *(\d+)/i }
  my $body = ''; read(C, $body, $length) if $length;
  my ($name) = $body =~ /"prompt": *"(\w+)"/;
  my %said = $line =~ /ping/ ? (status => 'Healthy') : $does{$name} ? $does{$name}->() : (response => 'what?');
  my $out = '{' . join(',', map { text($_) . ':' . text($said{$_}) } sort keys %said) . '}';
  print C "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: " . length($out) . "\r\n\r\n$out"; close(C);
}
`
const image = (more: Entry[] = []): ImageParts => ({
  layers: [
    canRun ? programEntries(perl) : [],
    [
      { path: 'etc/passwd', content: 'root:x:0:0::/root:/bin/sh\napp:x:4321:4322::/home/app:/bin/sh\n' },
      { path: 'srv/main.pl', content: program },
      { path: 'srv/link', type: '2', target: '/etc/shadow' },
      { path: 'workspace/begin', content: 'as the image says' },
      { path: 'tmp/hidden', content: 'x' },
      ...more,
    ],
  ],
  config: { User: 'app', Env: ['PATH=/usr/bin', 'GREETING=hello', 'LD_LIBRARY_PATH=/mine'], Entrypoint: [perl], Cmd: ['main.pl', 'one'], WorkingDir: '/srv' },
  compress: gzipSync,
  layerType: 'application/vnd.oci.image.layer.v1.tar+gzip',
})

const folders = await mkdtemp(join(tmpdir(), 'image-agents-'))
async function deploy(name: string, declared: object, lay: (folder: string) => Promise<void> = async () => {}) {
  const folder = join(folders, name)
  await mkdir(join(folder, 'agent'), { recursive: true })
  const agent = { kind: 'custom', description: 'From an image.', stockTools: ['calculator'], idleMs: 5_000, ...declared }
  await writeFile(join(folder, 'agent/agent.json'), JSON.stringify(agent))
  await lay(folder)
  return longhaul('deploy', folder)
}
beforeAll(async () => canRun && (await server.start()), limitMs)
afterAll(async () => {
  await server[Symbol.asyncDispose]()
  await registry[Symbol.asyncDispose]()
  await rm(folders, { recursive: true })
})

const { client } = server
const ask = async (agent: string, input: string, session?: string) => {
  const { id } = await client.runs.start({ agent, input, ...(session !== undefined && { session }) })
  return until(
    () => client.runs.get({ runId: id }),
    ({ state }) => isTerminal(state),
    60_000,
  )
}
const said = async (...args: Parameters<typeof ask>) => {
  const run = await ask(...args)
  expect(run.failure).toBeNull()
  return (run.output as { output: Record<string, Json> }).output
}

test.runIf(canRun)('an image is deployed by one command, and starts as its configuration says', { timeout: limitMs }, async () => {
  const { status, said: words } = await deploy('imaged', { image: './image.tar' }, (folder) => writeFile(join(folder, 'image.tar'), imageArchive(image())))
  expect(words, words).toContain('imaged')
  expect(status).toBe(0)
  const about = await said('imaged', 'about')
  expect(about).toMatchObject({ user: expect.stringMatching(/^4321 4322/), cwd: '/srv', greeting: 'hello', args: 'one', library: '/mine', workspace: 'begin' })
  expect(String(about['root']).split(' ')).toEqual(['dev', 'etc', 'lib', 'lib64', 'proc', 'run', 'srv', 'tmp', 'usr', 'workspace'])
})

test.runIf(canRun)('it is walled as any sandbox: what is not its own is closed to it, and this host is not there', { timeout: limitMs }, async () => {
  expect(await said('imaged', 'writes')).toEqual({
    ...{ '/x': 'no', '/etc/x': 'no', '/srv/x': 'no', '/usr/bin/perl': 'no', '/run/longhaul/o/sh': 'no', '/data/x': 'no' },
    ...{ '/tmp/x': 'yes', '/workspace/x': 'yes' },
  })
  const host = await said('imaged', 'host')
  expect(host).toMatchObject({ shadow: '', shell: 'no', node: 'no', secret: '', agent: 'closed' })
  expect(host['passwd']).toContain('app:x:4321')
  expect(host['init']).not.toMatch(/LONGHAUL_(DATABASE|MASTER)/)
  expect(await said('imaged', 'outside')).toEqual({ reached: 'no' })
  expect(await said('imaged', 'tool')).toMatchObject({ text: expect.stringMatching(/HTTP\/1\.1 200.*42/s) }) // The control: its own door it reaches.
})

test.runIf(canRun)('its sessions find their instance, and one that dies is told with what it said', { timeout: limitMs }, async () => {
  expect([await said('imaged', 'turns', 'a'), await said('imaged', 'turns', 'a'), await said('imaged', 'turns', 'b')]).toEqual([
    { turns: '1' },
    { turns: '2' },
    { turns: '1' },
  ])
  expect(await ask('imaged', 'die', 'a')).toMatchObject({ state: 'failed', failure: { message: expect.stringMatching(/code 7.*disk is on fire/s) } })
  expect(await said('imaged', 'turns', 'a')).toEqual({ turns: '1' })
})

test.runIf(canRun)('as docker save writes it and as a folder, with words of the declaration in place of its own', { timeout: limitMs }, async () => {
  const saving = (folder: string) => writeFile(join(folder, 'saved.tar'), savedArchive(image()))
  const declared = { image: 'saved.tar', args: ['main.pl', 'two'], env: { GREETING: 'good day' } }
  expect(await deploy('saved', declared, saving)).toMatchObject({ status: 0 })
  expect(await said('saved', 'about')).toMatchObject({ args: 'two', greeting: 'good day' })
  const laying = (folder: string) => writeImageFolder(image(), join(folder, 'image'))
  expect(await deploy('laid', { image: './image', command: perl, args: ['/srv/main.pl', 'three'] }, laying)).toMatchObject({ status: 0 })
  expect(await said('laid', 'about')).toMatchObject({ args: 'three', greeting: 'hello' })
})

test.runIf(canRun)('from a registry by its digest, and never by a tag', { timeout: limitMs }, async () => {
  const reference = registry.push('team/app', image())
  expect(await deploy('fetched', { image: reference })).toMatchObject({ status: 0 })
  expect(await said('fetched', 'about')).toMatchObject({ args: 'one', greeting: 'hello', workspace: 'begin' })
  expect(await deploy('tagged', { image: `${registry.host}/team/app:latest` })).toMatchObject({ said: expect.stringContaining('without a tag') })
})

test.runIf(canRun)('one that is not taken is told at its deployment, and the version before stays', { timeout: limitMs }, async () => {
  const before = (await client.agents.get({ name: 'imaged' })).version
  const hostile = image([{ path: '../../x', content: 'out' }])
  const { status, said: words } = await deploy('imaged', { image: './image.tar' }, (folder) => writeFile(join(folder, 'image.tar'), imageArchive(hostile)))
  expect(status).not.toBe(0)
  expect(words).toMatch(/agent\.json: image: The image is not taken: it has a name that leads out of it/)
  expect(await client.agents.get({ name: 'imaged' })).toMatchObject({ version: before, problem: null })
  expect(await deploy('absent', { image: './nowhere.tar' })).toMatchObject({ said: expect.stringContaining('it is not there') })
  expect(await deploy('upward', { image: '../image.tar' })).toMatchObject({ said: expect.stringContaining('must be the path of an image') })
  expect(await deploy('neither', {})).toMatchObject({ said: expect.stringContaining('name a program, or an image of one') })
})

test.runIf(canRun)(
  'the sandbox of an agent’s runs has the image of its folder; one that is not taken is told at its deployment',
  { timeout: limitMs },
  async () => {
    const lay = async (bytes: Buffer) => {
      const folder = join(folders, 'rooted')
      await mkdir(join(folder, 'agent'), { recursive: true })
      await writeFile(
        join(folder, 'agent/agent.ts'),
        `import { durable } from '@longhaul/sdk'
       export default durable('Looks around.', async (ctx, script) => (await ctx.sandbox.exec({ script: String(script), env: { MINE: 'mine' } })).stdout, { sandbox: { image: './image.tar' } })`,
      )
      await writeFile(join(folder, 'image.tar'), bytes)
      return longhaul('deploy', folder)
    }
    const parts: ImageParts = { layers: [smallSystem()], config: { Env: ['PATH=/usr/bin', 'GREETING=hello'] } }
    expect(await lay(imageArchive(parts))).toMatchObject({ status: 0 })
    expect(await ask('rooted', 'cat /own; echo " $GREETING $MINE $PWD"; ls /usr/bin/git /etc/hostname')).toMatchObject({
      failure: null,
      output: 'own hello mine /workspace\n',
    })
    const bad = await lay(imageArchive({ ...parts, layers: [...parts.layers, [{ path: '../x', content: 'x' }]] }))
    expect(bad.status).not.toBe(0)
    expect(bad.said).toMatch(/agent\.ts: sandbox\.image: The image is not taken: it has a name that leads out of it/)
  },
)

test.runIf(canRun)('a caller’s sandbox and template have the image that they are made with, by the command line', { timeout: limitMs }, async () => {
  const named = registry.push('small', { ...image(), layers: [smallSystem()], config: {} })
  await client.sandboxes.create({ image: named }) // The registry is in this process, which stands still for the command line: it is fetched before.
  expect(longhaul('sandboxes', 'create', '--name', 'small', '--image', named)).toMatchObject({
    status: 0,
    said: expect.stringContaining(`image ${named.slice(0, 20)}`),
  })
  expect(longhaul('sandboxes', 'exec', 'small', '--', 'cat', '/own')).toMatchObject({ status: 0, said: 'own' })
  expect(longhaul('sandboxes', 'exec', 'small', '--', 'python3')).toMatchObject({ status: 127, said: expect.stringMatching(/The image \S+ has no python3/) })
  expect(longhaul('templates', 'create', 'small', '--image', named, '--run', 'cat /own > made')).toMatchObject({ status: 0 })
  expect((await client.sandboxes.create({ template: 'small' })).image).toBe(named)
  expect(longhaul('sandboxes', 'create', '--image', 'registry.example.com/small:latest').said).toContain('with the digest and without a tag')
  expect((await client.system.get()).sandbox.root).toBeNull()
})

test.runIf(canRun)('a tenant’s quota holds for its images: one more is refused by name, and taken once there is room', { timeout: limitMs }, async () => {
  const { images } = (await client.tenants.get({ id: 'default' })).consumption
  expect(images).toBeGreaterThan(0)
  expect(longhaul('tenants', 'update', 'default', '--images', String(images))).toMatchObject({ status: 0, said: expect.stringContaining(`${images} images`) })
  const another = () =>
    deploy('another', { image: './image.tar' }, (folder) => writeFile(join(folder, 'image.tar'), imageArchive(image([{ path: 'srv/b', content: 'b' }]))))
  const refused = await another()
  expect(refused.status).not.toBe(0)
  expect(refused.said).toMatch(new RegExp(`the tenant default has ${images} images in use on this server.* allowed are ${images} images`))
  expect(await said('imaged', 'about')).toMatchObject({ greeting: 'hello' }) // What is there goes on.
  expect(longhaul('tenants', 'update', 'default', '--images', String(images + 1), '--image-bytes', '900000000')).toMatchObject({ status: 0 })
  expect(await another()).toMatchObject({ status: 0 })
  expect(longhaul('tenants', 'get', 'default').said).toMatch(
    new RegExp(`${images + 1} images · 900000000 bytes of images.* ${images + 1} images of \\d+ bytes at this server`),
  )
  expect(longhaul('tenants', 'update', 'default', '--unlimited')).toMatchObject({ status: 0 })
})
