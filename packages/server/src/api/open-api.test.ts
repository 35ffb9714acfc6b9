import { Validator } from '@seriousme/openapi-schema-validator'
import { operations } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { docsPage, docsPolicy } from './docs-page.ts'
import { openApi } from './open-api.ts'

test('the description is OpenAPI 3.1, as a validator of others says', async () => {
  const validator = new Validator()
  expect(await validator.validate(structuredClone(openApi()))).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
  const broken = structuredClone(openApi()) as unknown as { paths: Record<string, Record<string, { responses?: unknown }>> } // To break it.
  broken.paths['/v1/runs']!['get']!.responses = 'none' // Which is there.
  expect(await new Validator().validate(broken)).toMatchObject({ valid: false })
})

test('the page shows every operation, without a script and with no style but its own', () => {
  const page = docsPage(openApi())
  for (const { id } of operations) expect(page).toContain(`<details id="${id}">`)
  expect(page).not.toMatch(/<script|javascript:|style="|\son\w+="/)
  expect(docsPolicy).toMatch(/^default-src 'none'; style-src 'sha256-[\w+/=]+'; /)
})
