import { agent } from '@longhaul/sdk'

export default agent({
  description: 'Answers questions about sales, and shows the rows behind every answer.',
  stockTools: [],
  examples: ['Which region sold most in 2025?', 'Revenue by month for notebooks.'],
})
