import { tool } from '@longhaul/sdk'
import { z } from 'zod'
import { findNotes } from '../../../notes.ts'

export default tool({
  description: 'Finds the notes that hold a word.',
  effect: 'none',
  input: z.strictObject({ word: z.string().min(1).max(100) }),
  run: ({ word }) => findNotes(word),
})
