// Copies a database that nobody has open, and waits until the copy is on the disk. In a process of its own, because
// closing a descriptor of a database drops the locks that SQLite holds on it in the same process.
import { constants, copyFileSync } from 'node:fs'
import { answer, configuration, syncFile } from './support.mjs'

const { from, to } = configuration
copyFileSync(from, to, constants.COPYFILE_FICLONE)
syncFile(to)
answer({})
