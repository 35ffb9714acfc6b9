export { chartRowsMax, makeFigure, type Figure } from './figure.ts'
export { render } from './render.ts'
export { inWords, limitNote } from './words.ts'
