import { hook } from '@longhaul/sdk'
import { numbered } from '../diff.ts'

export default hook({ onStart: ({ text }) => ({ text: numbered(text) }) })
