import { expect, test } from 'vitest'
import { loadConfig, settings } from './config.ts'

const messageOf = (env: Record<string, string>) => {
  try {
    loadConfig(env)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
  return 'accepted'
}

test('an empty environment is a working configuration', () => {
  expect(loadConfig({ PATH: '/bin', HOME: '/root' })).toMatchObject({
    LONGHAUL_HTTP_PORT: 8080,
    LONGHAUL_HTTP_HOST: '127.0.0.1',
    LONGHAUL_DATA_DIR: '.longhaul',
    LONGHAUL_LEASE_MS: 10_000,
    LONGHAUL_LOG_FORMAT: 'auto',
    LONGHAUL_SANDBOX_DRIVER: 'auto',
  })
  expect(loadConfig({ LONGHAUL_MODEL: ' ', OPENAI_API_KEY: '' })).toEqual(loadConfig({})) // Set to nothing is not set.
})

test('what is given is used, and port 0 is a port', () => {
  expect(
    loadConfig({ LONGHAUL_HTTP_PORT: '0', LONGHAUL_MODEL: 'openai/gpt-5', OPENAI_API_KEY: 'sk-1', LONGHAUL_DATABASE_URL: 'postgresql://u:p@h:5432/d' }),
  ).toMatchObject({
    LONGHAUL_HTTP_PORT: 0,
    LONGHAUL_MODEL: 'openai/gpt-5',
    OPENAI_API_KEY: 'sk-1',
    LONGHAUL_DATABASE_URL: 'postgresql://u:p@h:5432/d',
  })
})

test('all wrong settings are named at once, unknown ones with what was probably meant', () => {
  const message = messageOf({
    LONGHAUL_HTTP_PROT: '1',
    LONGHAUL_HTTP_PORT: 'eighty',
    LONGHAUL_LEASE_MS: '10',
    LONGHAUL_SANDBOX_DRIVER: 'chroot',
    LONGHAUL_DATABASE_URL: 'mysql://secret@h/d',
  })
  expect(message).toContain('LONGHAUL_HTTP_PROT is not a setting. Did you mean LONGHAUL_HTTP_PORT?')
  expect(message).toContain('LONGHAUL_HTTP_PORT: must be a whole number')
  expect(message).toMatch(/LONGHAUL_LEASE_MS: .*1000/)
  expect(message).toMatch(/LONGHAUL_SANDBOX_DRIVER: .*bwrap/)
  expect(message).toContain('LONGHAUL_DATABASE_URL: must look like postgresql://')
  expect(message).not.toContain('secret')
})

test('a setting that was is told with what to do instead, and without its value', () => {
  const message = messageOf({ LONGHAUL_SECRETS_FILE: '/etc/hush.yaml' })
  expect(message).toContain('longhaul secrets import <file>')
  expect(message).not.toContain('hush')
})

test.each(['-1', '65536', '80.5', '1e3', '0x50', ' 80 80'])('port %j is refused', (value) => {
  expect(messageOf({ LONGHAUL_HTTP_PORT: value })).toContain('LONGHAUL_HTTP_PORT')
})

test('settings that are worth nothing alone are refused alone', () => {
  const url = { LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: 'http://127.0.0.1:11434/v1' }
  expect(messageOf(url)).toContain('LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: needs LONGHAUL_OPENAI_COMPATIBLE_MODEL as well')
  expect(messageOf({ ...url, LONGHAUL_OPENAI_COMPATIBLE_MODEL: 'qwen3' })).toBe('accepted')
})

test('settings of the command line in the same environment do no harm', () => {
  expect(messageOf({ LONGHAUL_URL: 'http://x', LONGHAUL_API_KEY: 'lh_x' })).toBe('accepted')
})

test('every setting says what it is for', () => {
  for (const [name, schema] of Object.entries(settings)) expect(schema.description, name).toMatch(/^\S.*[.…]$/)
})
