import type { LiveFrame, RunEvent } from './events.ts'

export const isLiveFrame = (frame: RunEvent | LiveFrame): frame is LiveFrame => frame.type === 'text-delta' || frame.type === 'output-delta'
