import { tool } from '@longhaul/sdk'
import { z } from 'zod'

const isTimeZone = (name: string) => Intl.supportedValuesOf('timeZone').includes(name) || name === 'UTC'

export default tool({
  description: 'The date and time now in a time zone.',
  input: z.strictObject({ timeZone: z.string().refine(isTimeZone, 'must be an IANA name, as in "Asia/Tokyo"') }),
  effect: 'none',
  run: ({ timeZone }) => ({ timeZone, now: new Intl.DateTimeFormat('en-GB', { timeZone, dateStyle: 'full', timeStyle: 'short' }).format(new Date()) }),
})
