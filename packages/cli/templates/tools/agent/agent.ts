import { agent } from '@longhaul/sdk'

export default agent({
  description: 'Answers questions about orders, and cancels them when a person agrees.',
  stockTools: [],
  examples: ['Which orders of Ada Lovelace are open?', 'Cancel order 1002.'],
})
