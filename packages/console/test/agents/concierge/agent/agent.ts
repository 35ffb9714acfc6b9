import { agent } from '@longhaul/sdk'

export default agent({ description: 'Is spoken to from outside, and begins by itself.' })
