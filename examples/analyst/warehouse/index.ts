export { ensureWarehouse, warehousePath, warehouseVersion } from './build.ts'
export { columnsOf, readEntities, semanticFolder, type Entity } from './entities.ts'
export { makeOnce } from './once.ts'

import { toIso, today as todaysDay } from './calendar.ts'
/** The day on which every question is asked. */
export const today = toIso(todaysDay)
