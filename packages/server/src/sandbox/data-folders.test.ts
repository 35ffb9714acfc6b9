import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { DeclaredFolders, openDataFolders } from './data-folders.ts'

let base: string
let dataDir: string
const at = (...path: string[]) => join(base, ...path)
const open = (path: string, more: object = {}) => openDataFolders(DeclaredFolders.parse({ sales: { path, ...more } }), dataDir)

beforeAll(() => {
  base = mkdtempSync(join(tmpdir(), 'longhaul-folders-'))
  dataDir = at('server/.longhaul')
  for (const path of ['server/.longhaul/sandboxes', 'sales', 'shut', 'home/ada/.ssh', 'home/ada/notes']) {
    mkdirSync(at(path), { recursive: true, mode: 0o755 })
    chmodSync(at(path), 0o755)
  }
  chmodSync(at('shut'), 0o700)
  writeFileSync(at('file'), '')
  symlinkSync(at('sales'), at('link'))
  symlinkSync(at('server/.longhaul'), at('sly'))
  symlinkSync('/etc', at('slier'))
})
afterAll(() => rmSync(base, { recursive: true, force: true }))

test('a folder is found by its name, for the tenants that it was declared for, and without links', () => {
  expect(open(at('sales')).find('default', 'sales')).toEqual({ name: 'sales', path: at('sales'), isForEveryone: false })
  expect(open(at('link'), { everyone: true }).find('default', 'sales')).toEqual({ name: 'sales', path: at('sales'), isForEveryone: true })
  expect(open(at('sales')).find('acme', 'sales')).toBeUndefined()
  expect(open(at('sales')).find('default', 'other')).toBeUndefined()
  const forAcme = open(at('sales'), { tenants: ['acme'] })
  expect([forAcme.find('acme', 'sales')?.path, forAcme.find('default', 'sales')]).toEqual([at('sales'), undefined])
  // A folder beside what is refused below.
  for (const path of ['home/ada/notes', 'server/../sales']) expect(open(at(path)).find('default', 'sales')).toBeDefined()
})

test.each<[string, () => string, RegExp]>([
  ['that is missing', () => at('nowhere'), /is not there/],
  ['that is a file', () => at('file'), /not a folder/],
  ['that is the server’s data', () => dataDir, /server’s own data/],
  ['in the server’s data', () => join(dataDir, 'sandboxes'), /server’s own data/],
  ['with the server’s data in it', () => at('server'), /server’s own data/],
  ['that a link leads to the server’s data', () => at('sly'), /server’s own data/],
  ['that a link leads to the system', () => at('slier'), /belongs to the system/],
  ['with keys in it', () => at('home/ada'), /holds keys \(\.ssh\)/],
  ['in a folder of keys', () => at('home/ada/.ssh'), /holds keys/],
  ...['/', '/etc', '/etc/ssl', '/proc', '/proc/self', '/sys', '/dev', '/run', '/var', '/var/run', '/usr', '/home', '/tmp', '/sales/../etc'].map(
    (path): [string, () => string, RegExp] => [path, () => path, /belongs to the system|is not there|server’s own data/],
  ),
])('a folder %s is refused', (_, path, why) => {
  expect(() => open(path())).toThrow(why)
  expect(() => open(path())).toThrow(/LONGHAUL_SANDBOX_FOLDERS: sales: /)
})

test.skipIf(process.getuid?.() !== 0)('where sandboxes are users of their own, a folder that others may not read is refused', () => {
  expect(() => open(at('shut'))).toThrow(/chmod o\+rx/)
})

test('a path that is not from the root, an empty list of tenants and what is no setting are refused', () => {
  for (const wrong of [{ path: 'sales' }, { path: '/srv/sales', tenants: [] }, { path: '/srv/sales', write: true }, {}])
    expect(DeclaredFolders.safeParse({ sales: wrong }).success).toBe(false)
  expect(DeclaredFolders.safeParse({ '../sales': { path: '/srv/sales' } }).success).toBe(false)
  expect(DeclaredFolders.safeParse({ sales: { path: homedir() } }).success).toBe(true)
})
