/** Sandboxes whose root is an image: the same walls, around other programs than this host's. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import type { Sandbox } from '../../src/sandbox/driver.ts'
import { type Image, openImages } from '../../src/sandbox/index.ts'
import { imageArchive, programEntries } from '../support/image.ts'
import { type DriverProcess, startDriver, usableModes } from '../support/sandbox-modes.ts'
import { freshId, never } from '../support/sandbox-suite.ts'

const perl = '/usr/bin/perl'
if (!existsSync(perl)) process.stderr.write('SKIPPED: sandboxes of images: Perl is not installed.\n')

for (const mode of existsSync(perl) ? usableModes() : [])
  describe(mode.name, () => {
    const home = mkdtempSync(join(tmpdir(), 'longhaul-image-'))
    let driver: DriverProcess
    let image: Image
    let sandbox: Sandbox
    const run = async (code: string, timeoutMs = 20_000) =>
      sandbox.exec({ cmd: perl, args: ['-e', code], timeoutMs, env: { LD_LIBRARY_PATH: '/mine', LANG: 'C' } }, { signal: never })
    const said = async (code: string) => {
      const { stdout, stderr, exitCode } = await run(code)
      expect(stderr).toBe('')
      expect(exitCode).toBe(0)
      return stdout
    }
    beforeAll(async () => {
      driver = await startDriver(mode, { poolSize: 1 })
      await driver.sweep()
      const path = join(home, 'image.tar')
      const files = [
        { path: 'etc/passwd', content: 'app:x:4321:4322::/:/bin/sh\n' },
        { path: 'srv/own', content: 'own', mode: 0o777 },
        { path: 'run/hidden', content: 'x' },
        { path: 'data/hidden', content: 'x' },
        { path: 'lib/evil', content: 'x' },
      ]
      writeFileSync(path, imageArchive({ layers: [programEntries(perl), files], config: { User: 'app' } }))
      image = await openImages({ folder: join(driver.root, '.images'), bytesMax: 100_000_000, log: silentLog }).open('t', { folder: home, image: 'image.tar' })
      // Only the mount is in the way of writing.
      if (mode.user !== undefined) execFileSync('chown', ['-R', String(mode.user), join(driver.root, '.images')])
      execFileSync('chmod', ['-R', 'a+rwX', image.root.folder])
      sandbox = await driver.create({ id: freshId(), image: image.root })
    }, 60_000)
    afterAll(async () => {
      await driver[Symbol.asyncDispose]()
      rmSync(home, { recursive: true })
    })

    test('its programs run as its user, and none of this host’s is there', async () => {
      expect(await said('print "$< ", $) + 0, " $ENV{LD_LIBRARY_PATH}"')).toBe('4321 4322 /mine')
      expect(await said('opendir(D, "/"); print join " ", sort grep !/^\\.+$/, readdir D')).toBe('dev etc lib lib64 proc run srv tmp usr workspace')
      expect(await said('opendir(D, "/usr/bin"); print join " ", grep !/^\\.+$/, readdir D')).toBe('perl')
      expect(await said('print -e "/etc/shadow" ? "host" : "none"')).toBe('none')
      expect(await sandbox.exec({ cmd: 'sh', args: ['-c', 'true'], timeoutMs: 5_000 }, { signal: never })).toMatchObject({ exitCode: 127 })
      expect(await said('opendir(D, "/run"); print join " ", grep !/^\\.+$/, readdir D')).toBe('longhaul')
    })

    test('nothing but its workspace and /tmp can be written, whatever the image lets its files', async () => {
      const paths = ['/x', '/etc/passwd', '/etc/x', '/srv/own', '/usr/bin/perl', '/lib/evil', '/run/longhaul/o/sh', '/run/longhaul/o/lib/x', '/run/x']
      const writes = async (path: string) => said(`print open(F, ">>", "${path}") ? "yes" : "no"`)
      for (const path of paths) expect([path, await writes(path)]).toEqual([path, 'no'])
      for (const path of ['/workspace/x', '/tmp/x']) expect([path, await writes(path)]).toEqual([path, 'yes'])
      for (const path of ['/srv/own', '/run/longhaul/o/sh']) expect(await said(`print chmod(0777, "${path}")`)).toBe('0')
    })

    test('the agent cannot be looked into; a process of the command’s own can', async () => {
      const opens = (path: string) => said(`print open(F, "<", "${path}") ? "yes" : "no"`)
      expect(await said('open(F, "<", "/proc/2/cmdline"); print <F> =~ /node-x/ ? "agent" : "other"')).toBe('agent')
      for (const name of ['mem', 'maps', 'environ']) expect([name, await opens(`/proc/2/${name}`)]).toEqual([name, 'no'])
      expect(await opens('/run/longhaul/node-x')).toBe('no')
      expect(await opens('/run/longhaul/o/node-x')).toBe('no')
      expect(await opens('/proc/self/maps')).toBe('yes')
    })

    test('no network, no new privileges, no namespaces', async () => {
      expect(await said('socket(S, 2, 1, 6); print connect(S, pack("S n a4 x8", 2, 80, pack("C4", 1, 1, 1, 1))) ? "out" : "in"')).toBe('in')
      expect(await said('print -e "/proc/net/dev" ? join("", grep /eth|ens|wlan/, do { open F, "<", "/proc/net/dev"; <F> }) : ""')).toBe('')
      const status = await said('open F, "<", "/proc/self/status"; print grep /^(NoNewPrivs|CapEff|CapBnd|Seccomp):/, <F>')
      expect(status.replaceAll('\t', ' ').trim().split('\n')).toEqual(
        expect.arrayContaining(['CapEff: 0000000000000000', 'CapBnd: 0000000000000000', 'NoNewPrivs: 1', 'Seccomp: 2']),
      )
      if (process.arch === 'x64') expect(await said('print syscall(272, 0x10000000) == -1 ? "no" : "yes"')).toBe('no') // unshare(CLONE_NEWUSER)
    })

    test('nothing that a command started outlives it', async () => {
      expect(await run('if (!fork) { setpgrp; exec "/usr/bin/perl", "-e", "sleep 600" } sleep 600', 1_500)).toMatchObject({ isTimedOut: true })
      expect(
        await said('opendir(D, "/proc"); print join ",", grep { open(F, "<", "/proc/$_/cmdline") && <F> =~ /sleep 60[0]/ } grep /^[0-9]+$/, readdir D'),
      ).toBe('')
    })
  })
