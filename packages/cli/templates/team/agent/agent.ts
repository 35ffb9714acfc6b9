import { agent } from '@longhaul/sdk'

export default agent({
  description: 'Writes short briefings, and has a researcher look things up.',
  stockTools: [],
  examples: ['A briefing on the Heron, please.'],
})
