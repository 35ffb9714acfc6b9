import type { CodeChange } from '@longhaul/protocol'
import { diffLines } from '../../../ui/diff-lines.ts'

/** The lines of a file before against those after. */
export const linesOf = ({ before, after }: CodeChange) => diffLines(withoutEnd(before?.text ?? ''), withoutEnd(after?.text ?? ''))

/** A file's last line ends like the others; what would be behind it is no line. */
const withoutEnd = (text: string): string => text.replace(/\n$/, '')
