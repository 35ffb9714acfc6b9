import { agent } from '@longhaul/sdk'

export default agent({
  description: 'Answers customers from the handbook, and hands over to a person what the handbook does not settle.',
  stockTools: ['bash'],
  examples: ['How do I change my plan?', 'I was charged twice in March.'],
})
