/**
 * The parts of TypeBox that are code rather than types. They must be imported from here: `npm run
 * build` bundles this file with TypeBox, whose 700 modules take Node a third of a second to load.
 */
export { Type } from 'typebox'
export { Compile } from 'typebox/compile'
