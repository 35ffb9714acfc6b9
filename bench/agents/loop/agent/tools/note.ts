import { tool } from '@longhaul/sdk'
import { z } from 'zod'

export default tool({ description: 'Notes a number.', input: z.strictObject({ n: z.number() }), effect: 'none', run: ({ n }) => ({ noted: n }) })
