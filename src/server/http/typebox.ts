/**
 * The parts of TypeBox that run. Everything takes them from here: `npm run build` makes one file of
 * this one and TypeBox, since Node needs a third of a second to load its 700 modules.
 */
export { Type } from 'typebox'
export { Compile } from 'typebox/compile'
