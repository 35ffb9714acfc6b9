/** Loaded together: each file of its own is named in what is loaded before the first page. */
export { CallPage } from './calls/CallPage.tsx'
export { CallsPage } from './calls/CallsPage.tsx'
export { CataloguePage } from './CataloguePage.tsx'
export { ModelsPage } from './ModelsPage.tsx'
export { ProvidersPage } from './ProvidersPage.tsx'
