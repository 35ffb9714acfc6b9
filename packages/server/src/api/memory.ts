import { eraseMemories, eraseMemory, getMemory, listMemories } from '@longhaul/protocol'
import type { MemoryService } from '../tools/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const memoryImplementations = (memory: MemoryService): Implementation[] => [
  implement(listMemories, (caller, page) => memory.list(caller, page)),
  implement(getMemory, (caller, { memoryId }) => memory.get(caller, memoryId)),
  audited(implement(eraseMemory, (caller, { memoryId }) => memory.erase(caller, memoryId))),
  audited(implement(eraseMemories, (caller, of) => memory.eraseAll(caller, of))),
]
