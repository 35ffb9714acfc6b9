import { agent } from '@longhaul/sdk'

export default agent({
  description: 'Says what it is for, in one sentence.',
  examples: ['What can you do?'],
})
