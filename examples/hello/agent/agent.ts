import { agent } from '@longhaul/sdk'

export default agent({
  description: 'Says what time it is anywhere.',
  stockTools: [],
  examples: ['What time is it in Tokyo?', '现在巴黎几点？'],
})
