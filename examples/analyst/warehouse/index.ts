export { ensureWarehouse, warehousePath, warehouseVersion } from './build.ts'
export { columnsOf, readEntities, semanticFolder, type Entity } from './entities.ts'
export { makeOnce } from './once.ts'
