/**
 * What code in a sandbox must not reach, tried by code in a sandbox. Each attempt has a positive control: something close
 * to it that works, so that a test in which nothing ran at all cannot pass.
 */
import { execFile } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Sandbox } from '../../src/sandbox/driver.ts'
import { deniedCalls, numberOn } from '../../src/sandbox/drivers/bwrap/seccomp/syscalls.ts'
import { type DriverProcess, isHere, startDriver, everyMode, gvisor } from '../support/sandbox-modes.ts'
import { base64, failureOf, freshId, never, sh } from '../support/sandbox-suite.ts'

const run = promisify(execFile)
const architecture = process.arch === 'arm64' ? 'arm64' : 'x64'
const hasPython = isHere('python3', 'attacks on system calls')

/** Python with `call(number, …)`, which gives `ok` or the name of the error of a raw system call. */
const prelude = `
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def call(number, *args):
    ctypes.set_errno(0)
    result = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(each) if isinstance(each, int) else each for each in args])
    return 'ok' if result >= 0 else errno.errorcode[ctypes.get_errno()]
def attempt(act):
    try:
        return act() or 'ok'
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error))
`
const python = async (sandbox: Sandbox, code: string): Promise<string> => {
  const result = await sandbox.exec({ cmd: 'python3', args: ['-c', prelude + code], timeoutMs: 20_000 }, { signal: never })
  return result.exitCode === 0 ? result.stdout.trim() : `exit ${result.exitCode} ${result.signal} ${result.stdout} ${result.stderr}`
}

/** gVisor has a kernel of its own and no filter of ours: namespaces, sockets and devices that it gives are its own, and lead nowhere. */
const withoutFilter = 'SKIPPED: gvisor: the system call filter: there is none, its kernel answers every call. gvisor.test.ts asks it what it lets through.\n'
if (gvisor.whyNot === undefined) process.stderr.write(withoutFilter)

for (const mode of everyMode()) {
  const isGvisor = mode.driver === 'gvisor'
  describe(mode.name, () => {
    let driver: DriverProcess
    let sandbox: Sandbox
    let leaked: number
    beforeAll(async () => {
      leaked = openSync('/etc/hostname', 'r')
      process.env['LONGHAUL_TEST_SECRET'] = 'secret-of-the-server'
      driver = await startDriver(mode, { extraDescriptor: leaked })
      sandbox = await driver.create({ id: freshId() })
    })
    afterAll(async () => {
      closeSync(leaked)
      await driver[Symbol.asyncDispose]()
    })

    test.skipIf(isGvisor)('the process has no rights, no way to new ones, and the filter', async () => {
      const { stdout } = await sh(sandbox, 'id -u; id -g; grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/self/status /proc/1/status | cut -d: -f2-')
      const lines = stdout
        .trim()
        .split('\n')
        .map((line) => line.replace(/\s+/g, ' '))
      expect(lines.slice(0, 2)).toEqual(['1000', '1000'])
      const each = [
        'CapInh: 0000000000000000',
        'CapPrm: 0000000000000000',
        'CapEff: 0000000000000000',
        'CapBnd: 0000000000000000',
        'CapAmb: 0000000000000000',
        'NoNewPrivs: 1',
        'Seccomp: 2',
      ]
      expect(lines.slice(2)).toEqual([...each, ...each])
    })

    test('nothing can be written but /workspace, /tmp and shared memory', async () => {
      const outside = [
        '/',
        '/usr',
        '/usr/bin',
        '/etc',
        '/etc/ssl',
        '/opt',
        '/opt/longhaul/bin',
        '/run',
        '/run/longhaul',
        '/run/longhaul/pipes',
        '/dev',
        '/proc',
        '/proc/sys/kernel/hostname',
        '/home',
        '/root',
        '/var',
        '/sys',
        '/data',
      ]
      const { stdout } = await sh(
        sandbox,
        `for f in ${outside.join(' ')}; do (: > $f/x) 2>/dev/null && echo wrote $f; (: > $f) 2>/dev/null && echo wrote $f; done; for f in /workspace /tmp /dev/shm; do : > $f/x && echo wrote $f; done`,
      )
      expect(stdout).toBe('wrote /workspace\nwrote /tmp\nwrote /dev/shm\n')
      // No mount is writable that the list above did not try.
      const writable = (await sh(sandbox, "awk '$4 ~ /^rw/ { print $2 }' /proc/mounts | sort")).stdout.trim().split('\n')
      expect(writable.filter((path) => !path.startsWith('/dev/') && !path.startsWith('/proc'))).toEqual(
        isGvisor ? ['/data', '/dev', '/sys', '/tmp', '/workspace'] : ['/tmp', '/workspace'],
      )
    })

    test.skipIf(isGvisor)('the parts of /proc that tell about the host are covered, the useful ones are there', async () => {
      const { stdout } = await sh(
        sandbox,
        'for f in cmdline config.gz kallsyms kcore keys key-users kmsg slabinfo timer_list vmallocinfo sysrq-trigger; do head -c 1 /proc/$f 2>/dev/null | wc -c; done | sort -u; ls -A /proc/acpi /proc/bus /proc/fs /proc/irq 2>/dev/null | grep -v :; for f in self/status cpuinfo meminfo version; do head -c 1 /proc/$f | wc -c; done',
      )
      expect(stdout.split('\n').filter(Boolean)).toEqual(['0', '1', '1', '1', '1'])
    })

    test('nothing of the host is to be seen: no files, no environment, no processes, no names', async () => {
      const hostFile = join(driver.root, 'host-secret')
      writeFileSync(hostFile, 'secret-of-the-server', { mode: 0o644 })
      expect(existsSync(hostFile)).toBe(true)
      const script = `cat ${hostFile} ${join(driver.root, '.lock')} /etc/shadow /etc/hostname; for f in /root /home /var /srv /work /mnt /media /boot ${isGvisor ? '' : '/sys'}; do test -e $f && echo $f; done; cat /proc/*/environ | tr '\\0' '\\n' | grep SECRET; env | grep SECRET; echo /proc/[0-9]* | wc -w; hostname; cat /etc/passwd | wc -l`
      expect((await sh(sandbox, script)).stdout).toMatch(/^[4-9]\nsandbox\n3\n$/)
    })

    test.skipIf(!hasPython)('descriptors that the server was started with are not passed on', async () => {
      expect(readFileSync(`/proc/${driver.pid}/fdinfo/40`, 'utf8')).toContain('flags') // The server does have it.
      expect((await sh(sandbox, `python3 -c 'import os; print(*os.listdir("/proc/self/fd"))'`)).stdout).toBe('0 1 2 3\n') // 3 is Python looking.
      // What the server gave the agent, and what the agent made: in gVisor the first three alone are the host's.
      const own = isGvisor ? '-e "^pipe:" -e "^anon_inode:" -e "^host:.[123].$" -e "^/tmp/.pipes-" -e "^/dev/null"' : '-e socket: -e eventfd'
      expect((await sh(sandbox, `for fd in /proc/1/fd/*; do readlink $fd; done | grep -v ${own}`)).stdout).toBe('')
    })

    test('the environment is ours and what the command was given', async () => {
      const { stdout } = await sh(sandbox, 'env | cut -d= -f1 | grep -v -e "^_$" -e SHLVL -e PWD | sort | tr "\\n" " "', { env: { MINE: '1' } })
      expect(stdout).toBe('HOME LANG LOGNAME MINE PATH PYTHONUNBUFFERED SHELL TERM TMPDIR TZ USER ')
    })

    // In this gVisor /proc asks nobody. The agent has nothing of the host's, and what it sends is untrusted.
    test.skipIf(isGvisor)("the agent cannot be looked into; a process of the command's own can", async () => {
      const tries = ['cat /proc/2/mem', 'cat /proc/2/environ', 'cat /proc/2/maps', 'ls /proc/2/fd', 'cat /run/longhaul/node-x', 'chmod +r /run/longhaul/node-x']
      for (const each of tries) expect(await sh(sandbox, `${each} > /dev/null`), each).not.toMatchObject({ exitCode: 0 })
      expect(
        await sh(sandbox, 'tr "\\0" " " < /proc/2/cmdline | grep -q node-x && cat /proc/self/maps > /dev/null && ls /proc/self/fd > /dev/null'),
      ).toMatchObject({ exitCode: 0 })
    })

    test('links, pipes and devices in the workspace lead the file requests nowhere', async () => {
      await sh(sandbox, 'ln -s /etc/passwd passwd; ln -s /usr/bin usr; mkfifo pipe; ln -s /dev/zero zero; ln -s / root; echo plain > plain; ln -s plain alias')
      const read = (path: string) => sandbox.files({ action: 'read', path, bytesMax: 100_000 })
      // The sandbox's own, which has three lines.
      expect(
        Buffer.from(((await read('passwd')) as { base64: string }).base64, 'base64')
          .toString()
          .split('\n'),
      ).toHaveLength(4)
      expect(await failureOf(read('pipe'))).toMatchObject({ code: 'invalid' })
      expect(await failureOf(read('zero'))).toMatchObject({ code: 'invalid' })
      // In runsc of 2022 what is not there behind a link to / is taken for /, the sandbox's own.
      expect(await failureOf(read('root/root/.profile'))).toMatchObject({ code: isGvisor ? 'invalid' : 'not_found' })
      for (const path of ['usr/x', 'root/etc/x', 'passwd']) {
        expect(await failureOf(sandbox.files({ action: 'write', files: [{ path, base64: base64('x') }] })), path).toMatchObject({ code: 'not_permitted' })
      }
      expect(await failureOf(sandbox.files({ action: 'write', files: [{ path: 'pipe', base64: base64('x') }] }))).toMatchObject({ code: 'invalid' })
      expect(await read('alias')).toMatchObject({ base64: base64('plain\n') })
    })

    test("hard links to what is not the sandbox's cannot be made; its own can", async () => {
      expect(
        (await sh(sandbox, 'ln /usr/bin/env hard; ln /etc/passwd hard2; ln /run/longhaul/agent.cjs hard3; echo x > own; ln own hard4; echo hard*')).stdout,
      ).toBe('hard4\n')
    })

    test('an archive with paths that climb out writes nothing outside', async () => {
      await sh(
        sandbox,
        'mkdir -p in && echo slipped > in/x && tar -cPf slip.tar --transform "s,^in/x,../../../../workspace-slipped," in/x && tar -cPf absolute.tar --transform "s,^in/x,/etc/slipped," in/x && tar -cf good.tar in',
      )
      const { stdout } = await sh(
        sandbox,
        'mkdir -p out && cd out && tar -xPf ../slip.tar; tar -xPf ../absolute.tar; tar -xf ../good.tar; cat in/x; for f in /workspace-slipped /etc/slipped; do test -e $f && echo $f; done',
      )
      expect(stdout).toBe('slipped\n')
      expect(existsSync(join(driver.root, 'workspace-slipped'))).toBe(false)
    })

    test('set-user-id programs give nothing', async () => {
      const { stdout } = await sh(
        sandbox,
        `cp /usr/bin/id ./id; chmod 6755 ./id; ./id -u; find /usr/bin/su /usr/bin/passwd -perm -4000 | wc -l; ${isGvisor ? '' : "awk '$4 !~ /nosuid/ && $2 !~ /^\\/dev\\/pts/ { print $2 }' /proc/mounts;"} su -c id -s /bin/sh root </dev/null 2>&1 | grep -c uid=0; ./id -g`,
      )
      expect(stdout).toBe('1000\n2\n0\n1000\n')
    })

    test('devices are the harmless ones, and no others can be made', async () => {
      const { stdout } = await sh(
        sandbox,
        '(cd /dev; echo * "") | tr -d "\\n"; mknod x b 8 0 2>/dev/null && echo made; mknod y c 1 1 2>/dev/null && echo made; head -c 3 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; mkfifo p && echo fifo',
      )
      const own = isGvisor
        ? 'fd full fuse net null ptmx pts random shm stderr stdin stdout tty urandom zero'
        : 'core fd full null ptmx pts random shm stderr stdin stdout tty urandom zero'
      expect(stdout).toBe(`${own} 3\n3\nfifo\n`)
    })

    test('a core dump is not written; the death is reported', async () => {
      const result = await sandbox.exec({ script: 'ulimit -c; ulimit -c unlimited; kill -SEGV $$', timeoutMs: 5_000 }, { signal: never })
      expect(result).toMatchObject(isGvisor ? { exitCode: 128 + 11, stdout: '0\n' } : { exitCode: null, signal: 'SIGSEGV', stdout: '0\n' })
      expect((await sh(sandbox, 'echo *core*')).stdout).toBe('*core*\n')
    })

    test("loopback is the sandbox's own; the host, its network and metadata services are out of reach", async () => {
      const server = createServer((socket) => socket.end('host'))
      await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
      const abstract = createServer((socket) => socket.end('host'))
      const name = `longhaul-test-${process.pid}-${mode.withoutCgroups}`
      await new Promise<void>((done) => abstract.listen(`\0${name}`, done))
      const { port } = server.address() as { port: number }
      const code = `
const net = require('node:net'), dns = require('node:dns'), os = require('node:os')
const attempt = (options) => new Promise((done) => { const s = net.connect({ ...options, timeout: 1500 }); s.on('connect', () => done('connected')); s.on('error', (e) => done(e.code)); s.on('timeout', () => done('timeout')) })
const own = net.createServer((s) => s.end()).listen(0, '127.0.0.1', async () => {
  console.log(JSON.stringify({
    own: await attempt({ port: own.address().port, host: '127.0.0.1' }),
    host: await attempt({ port: ${port}, host: '127.0.0.1' }),
    metadata: await attempt({ port: 80, host: '169.254.169.254' }),
    internet: await attempt({ port: 443, host: '1.1.1.1' }),
    internet6: await attempt({ port: 443, host: '2606:4700:4700::1111' }),
    abstract: await attempt({ path: '\\0${name}' }),
    name: await dns.promises.lookup('example.com').then(() => 'resolved', (e) => e.code),
    interfaces: Object.keys(os.networkInterfaces()),
  }))
  own.close()
})`
      const result = await sandbox.exec({ cmd: 'node', args: ['-e', code], timeoutMs: 15_000 }, { signal: never })
      server.close()
      abstract.close()
      expect(result.stderr).toBe('')
      expect(JSON.parse(result.stdout)).toEqual({
        own: 'connected',
        host: 'ECONNREFUSED',
        metadata: isGvisor ? 'EHOSTUNREACH' : 'ENETUNREACH',
        internet: isGvisor ? 'EHOSTUNREACH' : 'ENETUNREACH',
        internet6: expect.stringMatching(/E(NET|HOST)UNREACH|EADDRNOTAVAIL/),
        abstract: 'ECONNREFUSED',
        name: expect.stringMatching(/ENOTFOUND|EAI_AGAIN/),
        interfaces: ['lo'],
      })
    })

    test("sandboxes neither see nor reach each other's processes", async () => {
      const other = await driver.create({ id: freshId() })
      const abort = new AbortController()
      let isUp = () => {}
      const up = new Promise<void>((done) => (isUp = done))
      const script = 'python3 -c "import socket; s=socket.socket(socket.AF_UNIX); s.bind(chr(0)+\'meeting\'); s.listen()" & echo up; sleep 30 & sleep 31'
      const long = failureOf(other.exec({ script, timeoutMs: 30_000 }, { signal: abort.signal, onOutput: () => isUp() }))
      long.catch(() => {}) // Looked at below. When an expectation fails before that, its failure is the one to be heard of.
      await up
      expect((await sh(other, 'until [ "$(pgrep -c -x sleep)" = 2 ]; do :; done; echo both')).stdout).toBe('both\n')
      // Two commands: the second ends its own agent, which may not have passed on yet what was printed before.
      expect((await sh(sandbox, 'pgrep -c sleep')).stdout).toBe('0\n')
      expect(await sh(sandbox, 'kill -9 -1 2>/dev/null; true')).toMatchObject(isGvisor ? { exitCode: 0 } : { signal: 'SIGKILL' })
      expect((await sh(other, 'pgrep -c sleep')).stdout).toBe('2\n')
      abort.abort()
      expect(await long).toMatchObject({ code: 'cancelled' })
    })

    test.skipIf(!hasPython || isGvisor)('every denied system call is refused by the filter', async () => {
      const numbers = Object.values(deniedCalls).flatMap((each) => numberOn(architecture, each) ?? [])
      expect(numbers.length).toBeGreaterThan(55)
      // `personality(0xffffffff)` and friends would succeed: -1 makes harmless arguments, and EPERM comes before any of them is looked at.
      const code = `print([number for number in ${JSON.stringify(numbers)} if call(number, -1, -1, -1, -1, -1, -1) != 'EPERM'], call(${architecture === 'x64' ? 39 : 172}))`
      expect(await python(sandbox, code)).toBe('[] ok')
    })

    test.skipIf(!hasPython || isGvisor)('without the filter the same attempts get other answers', async () => {
      // On the host, as a user without rights: so the test above does see the filter.
      const [keyctl, ioUring, userfaultfd] = ['keyctl', 'io_uring_setup', 'process_madvise'].map((name) =>
        numberOn(architecture, deniedCalls[name] ?? [null, null]),
      )
      const asUser = process.getuid?.() === 0 ? ['setpriv', '--reuid=54321', '--regid=54321', '--clear-groups', '--'] : []
      const [program, ...args] = [
        ...asUser,
        '/usr/bin/python3',
        '-c',
        `${prelude}\nprint([call(number, -1, -1, -1, -1, -1, -1) for number in (${keyctl}, ${ioUring}, ${userfaultfd})])`,
      ]
      const { stdout } = await run(program, args)
      expect(stdout).not.toContain('EPERM')
    })

    test.skipIf(!hasPython || isGvisor)('namespaces, foreign sockets, raw sockets and terminal input are refused; their harmless relatives work', async () => {
      const clone = architecture === 'x64' ? 56 : 220
      const code = `
import socket, fcntl, termios, pty, struct
newuser = 0x10000000
def clone(flags):
    pid = libc.syscall(ctypes.c_long(${clone}), ctypes.c_long(flags | 17), 0, 0, 0, 0)
    if pid == 0: os._exit(0)
    if pid > 0: os.waitpid(pid, 0)
    return 'ok' if pid > 0 else errno.errorcode[ctypes.get_errno()]
primary, secondary = pty.openpty()
def open_socket(*what):
    return attempt(lambda: socket.socket(*what).close())
print({
  'newuser': clone(newuser), 'newnet': clone(0x40000000), 'newpid': clone(0x20000000), 'fork': clone(0), 'clone3': call(435, 0, 0), 'unknown': call(5000), 'gap': call(400),
  'vsock': open_socket(40, 1), 'packet': open_socket(17, 3), 'raw': open_socket(2, 3, 1), 'raw6': open_socket(10, 3, 58), 'bluetooth': open_socket(31, 3, 1), 'alg': open_socket(38, 5), 'audit': open_socket(16, 3, 9), 'packet10': open_socket(2, 10),
  'tcp': open_socket(2, 1), 'tcp6': open_socket(10, 1), 'udp': open_socket(2, 2), 'unix': open_socket(1, 1), 'route': open_socket(16, 3, 0), 'nonblocking': open_socket(2, 1 | 0o4000),
  'tiocsti': attempt(lambda: fcntl.ioctl(secondary, termios.TIOCSTI, b'x') and None), 'high bits': call(${architecture === 'x64' ? 16 : 29}, secondary, 0x100005412, b'x'), 'winsize': attempt(lambda: fcntl.ioctl(secondary, termios.TIOCGWINSZ, b'12345678') and None),
})`
      const found = JSON.parse((await python(sandbox, code)).replaceAll("'", '"')) as Record<string, string>
      expect(found).toEqual({
        newuser: 'EPERM',
        newnet: 'EPERM',
        newpid: 'EPERM',
        fork: 'ok',
        clone3: 'ENOSYS',
        unknown: 'ENOSYS',
        gap: 'ENOSYS',
        vsock: 'EAFNOSUPPORT',
        packet: 'EAFNOSUPPORT',
        raw: 'EPERM',
        raw6: 'EPERM',
        bluetooth: 'EAFNOSUPPORT',
        alg: 'EAFNOSUPPORT',
        audit: 'EPERM',
        packet10: 'EPERM',
        tcp: 'ok',
        tcp6: 'ok',
        udp: 'ok',
        unix: 'ok',
        route: 'ok',
        nonblocking: 'ok',
        tiocsti: 'EPERM',
        'high bits': 'EPERM',
        winsize: 'ok',
      })
    })

    test.skipIf(!hasPython)('memory that no limit would count can be had only where a group counts it', async () => {
      const found = await python(
        sandbox,
        `print(call(${architecture === 'x64' ? 319 : 279}, b'x', 0), call(${architecture === 'x64' ? 29 : 194}, 0, 4096, 0o600))`,
      )
      expect(found).toBe(mode.withoutCgroups ? 'EPERM EPERM' : 'ok ok')
    })

    test.skipIf(!hasPython || architecture !== 'x64' || isGvisor)('a 32-bit system call kills; a 64-bit one made the same way does not', async () => {
      const machineCode = (bytes: string) => `
import mmap
memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
memory.write(bytes.fromhex('${bytes}'))
print(ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))() > 0)`
      expect(await python(sandbox, machineCode('b8270000000f05c3'))).toBe('True') // mov eax, 39; syscall; ret
      const killed = await sandbox.exec({ cmd: 'python3', args: ['-c', prelude + machineCode('b814000000cd80c3')], timeoutMs: 5_000 }, { signal: never }) // mov eax, 20; int 0x80; ret
      expect(killed).toMatchObject({ exitCode: null, signal: 'SIGSYS' })
    })

    test.skipIf(isGvisor)('mounts, new roots and namespaces cannot be had by tools either', async () => {
      const { stdout } = await sh(
        sandbox,
        'for c in "mount -t tmpfs x /tmp" "umount /tmp" "mount -o remount,rw /usr" "unshare -U true" "unshare -Urn true" "chroot / true" "nsenter -t 1 -m true" "bwrap --ro-bind / / true" "hostname other" "date -s 2000-01-01" "dmesg"; do $c >/dev/null 2>&1 && echo "$c worked"; done; date > /dev/null && echo control',
      )
      expect(stdout).toBe('control\n')
    })
  })
}
